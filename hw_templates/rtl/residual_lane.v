// The fused end of a residual binary block (FuseBNN): of a sum and the residual stream it makes the new stream
// with two multiplications, two additions and a comparison per value.
//
//   s = ((scale * dot + half) >> SHIFT) + (shortcut << SHORTCUT_SHIFT) + offset
//   v = s >= 0 ? s : (slope * s + half) >> SLOPE_SHIFT, saturated
//
// PE              channels per word
// WORDS           words per pixel
// BITS            of an element of the output, two's complement as all elements
// SHORTCUT_BITS   of an element of the first input, the residual stream
// DOT_BITS        of an element of the second input, the sums
// CONSTANT_BITS   of scale and slope
// POWERS          1: scale and slope are powers of two, written as 2 * exponent + (negative ? 1 : 0)
// SHIFT, SLOPE_SHIFT, SHORTCUT_SHIFT   see above
// CONSTANTS       memory file: a word per line, channel 0 in the low bits: scale, offset (BITS), slope
//
// Schedule: a word of each input per cycle, both in the same. The word of cycle t is there in cycle t + 4: scale,
// add, slope, saturate.
// Handshake: the whole unit stands still while a finished word is not taken.
module residual_lane #(
  parameter PE = 1,
  parameter WORDS = 1,
  parameter BITS = 8,
  parameter SHORTCUT_BITS = 8,
  parameter DOT_BITS = 8,
  parameter CONSTANT_BITS = 8,
  parameter POWERS = 0,
  parameter SHIFT = 1,
  parameter SLOPE_SHIFT = 1,
  parameter SHORTCUT_SHIFT = 0,
  parameter CONSTANTS = "constants.hex"
) (
  input clk,
  input rst,
  input [PE*SHORTCUT_BITS-1:0] in0_data,
  input in0_valid,
  output in0_ready,
  input [PE*DOT_BITS-1:0] in1_data,
  input in1_valid,
  output in1_ready,
  output [PE*BITS-1:0] out_data,
  output reg out_valid,
  input out_ready
);
  localparam WIDE = DOT_BITS + CONSTANT_BITS;
  localparam PRODUCT_BITS = ((WIDE > SHIFT) ? WIDE : SHIFT) + 1;
  localparam SCALED = PRODUCT_BITS - SHIFT + 1, MOVED = SHORTCUT_BITS + SHORTCUT_SHIFT;
  localparam TERM = (MOVED > BITS) ? MOVED : BITS;
  localparam SUM_BITS = ((SCALED > TERM) ? SCALED : TERM) + 2;
  localparam SLOPED_BITS = SUM_BITS + CONSTANT_BITS + 1;
  localparam ENTRY = 2 * CONSTANT_BITS + BITS;
  localparam ADDRESS_BITS = (WORDS > 1) ? $clog2(WORDS) : 1;

  wire en = ~out_valid | out_ready;
  wire go = en & in0_valid & in1_valid;
  assign in0_ready = en & in1_valid;
  assign in1_ready = en & in0_valid;

  // `row` holds the constants of the word that comes next, so it is read ahead
  reg [ADDRESS_BITS-1:0] at;
  wire [ADDRESS_BITS-1:0] following = (at == WORDS - 1) ? 0 : at + 1'b1;
  wire [ADDRESS_BITS-1:0] ahead = go ? following : at;
  wire [PE*ENTRY-1:0] row;
  constant_memory #(
    .WIDTH(PE * ENTRY), .DEPTH(WORDS), .MEMORY("distributed"), .FILE(CONSTANTS)
  ) rows (.clk(clk), .en(en), .address(ahead), .word(row));

  reg [2:0] moving;  // words on their way
  always @(posedge clk)
    if (rst) begin
      at <= 0;
      moving <= 0;
      out_valid <= 1'b0;
    end else if (en) begin
      at <= ahead;
      moving <= {moving[1:0], go};
      out_valid <= moving[2];
    end

  genvar p;
  generate
    for (p = 0; p < PE; p = p + 1) begin : lane
      wire [ENTRY-1:0] entry = row[p*ENTRY +: ENTRY];
      wire signed [SHORTCUT_BITS-1:0] shortcut = in0_data[p*SHORTCUT_BITS +: SHORTCUT_BITS];
      wire signed [BITS-1:0] offset = entry[CONSTANT_BITS +: BITS];

      // scale, and everything that is only added
      wire signed [PRODUCT_BITS-1:0] product;
      scaled_by #(
        .BITS(DOT_BITS), .CONSTANT_BITS(CONSTANT_BITS), .POWERS(POWERS), .OUT_BITS(PRODUCT_BITS)
      ) scale (
        .value(in1_data[p*DOT_BITS +: DOT_BITS]), .constant(entry[0 +: CONSTANT_BITS]), .product(product));
      wire signed [SUM_BITS-1:0] wide = shortcut;
      wire signed [SUM_BITS-1:0] shift_up = wide <<< SHORTCUT_SHIFT;
      wire signed [PRODUCT_BITS-1:0] half = {{(PRODUCT_BITS-1){1'b0}}, 1'b1} << (SHIFT - 1);
      reg signed [PRODUCT_BITS-1:0] scaled;
      reg signed [SUM_BITS-1:0] base;
      reg [CONSTANT_BITS-1:0] slope, slope_late;
      // add
      wire signed [PRODUCT_BITS-1:0] rounded = scaled >>> SHIFT;
      wire signed [SUM_BITS-1:0] rounded_wide = rounded;
      reg signed [SUM_BITS-1:0] sum, sum_late;
      // slope
      wire signed [SLOPED_BITS-1:0] negative;
      scaled_by #(
        .BITS(SUM_BITS), .CONSTANT_BITS(CONSTANT_BITS), .POWERS(POWERS), .OUT_BITS(SLOPED_BITS)
      ) prelu (.value(sum), .constant(slope_late), .product(negative));
      wire signed [SLOPED_BITS-1:0] slope_half = {{(SLOPED_BITS-1){1'b0}}, 1'b1} << (SLOPE_SHIFT - 1);
      reg signed [SLOPED_BITS-1:0] sloped;
      // saturate
      wire signed [SLOPED_BITS-1:0] below = sloped >>> SLOPE_SHIFT;
      wire signed [SLOPED_BITS-1:0] above = sum_late;
      wire signed [SLOPED_BITS-1:0] value = sum_late[SUM_BITS-1] ? below : above;
      wire fits = (&value[SLOPED_BITS-1:BITS-1]) | ~(|value[SLOPED_BITS-1:BITS-1]);
      wire minus = value[SLOPED_BITS-1];
      reg [BITS-1:0] result;
      assign out_data[p*BITS +: BITS] = result;
      always @(posedge clk)
        if (en) begin
          scaled <= product + half;
          base <= shift_up + offset;
          slope <= entry[CONSTANT_BITS + BITS +: CONSTANT_BITS];
          sum <= rounded_wide + base;
          slope_late <= slope;
          sloped <= negative + slope_half;
          sum_late <= sum;
          result <= fits ? value[BITS-1:0] : {minus, {(BITS-1){~minus}}};
        end
    end
  endgenerate
endmodule

// value * constant, both two's complement; or a shift, and a negation where bit 0 of the constant says so.
module scaled_by #(
  parameter BITS = 8,
  parameter CONSTANT_BITS = 8,
  parameter POWERS = 0,
  parameter OUT_BITS = 17
) (
  input signed [BITS-1:0] value,
  input signed [CONSTANT_BITS-1:0] constant,
  output signed [OUT_BITS-1:0] product
);
  wire signed [OUT_BITS-1:0] wide = value;
  generate
    if (POWERS) begin : shift
      wire [CONSTANT_BITS-2:0] exponent = constant[CONSTANT_BITS-1:1];
      wire signed [OUT_BITS-1:0] shifted = wide <<< exponent;
      assign product = constant[0] ? -shifted : shifted;
    end else begin : multiply
      assign product = wide * constant;
    end
  endgenerate
endmodule
