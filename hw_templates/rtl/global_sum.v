// Global average-pooling without the division (FINN: GlobalAccPool): the sum of every channel over all pixels of
// a map.
//
// PIXELS     of a map; a single one passes unchanged
// WORDS      words per pixel
// PE         channels per word
// BITS       of an element
// IS_SIGNED  1: two's complement, and {-1, +1} where BITS is 1
// SUM_BITS   of a sum
//
// Schedule: an input word per cycle. The sums wait in a memory; each leaves in the cycle after its last input word.
module global_sum #(
  parameter PIXELS = 4,
  parameter WORDS = 1,
  parameter PE = 1,
  parameter BITS = 4,
  parameter IS_SIGNED = 0,
  parameter SUM_BITS = 6
) (
  input clk,
  input rst,
  input [PE*BITS-1:0] in_data,
  input in_valid,
  output in_ready,
  output reg [PE*SUM_BITS-1:0] out_data,
  output reg out_valid,
  input out_ready
);
  localparam BIPOLAR = IS_SIGNED && BITS == 1 && PIXELS > 1;
  localparam PIXEL_BITS = (PIXELS > 1) ? $clog2(PIXELS) : 1;
  localparam AT_BITS = (WORDS > 1) ? $clog2(WORDS) : 1;

  reg [PIXEL_BITS-1:0] pixel;
  reg [AT_BITS-1:0] at;
  wire last_word = at == WORDS - 1, last_pixel = pixel == PIXELS - 1;

  wire en = ~out_valid | out_ready;
  wire go = en & in_valid;
  assign in_ready = en;

  (* ram_style = "distributed" *) reg [PE*SUM_BITS-1:0] sums [0:WORDS-1];
  wire [PE*SUM_BITS-1:0] so_far = sums[at];
  wire [PE*SUM_BITS-1:0] now;
  genvar p;
  generate
    for (p = 0; p < PE; p = p + 1) begin : channel
      wire [BITS-1:0] code = in_data[p*BITS +: BITS];
      wire [SUM_BITS-1:0] value;
      if (BIPOLAR) assign value = {{(SUM_BITS-1){~code[0]}}, 1'b1};
      else assign value = {{(SUM_BITS-BITS+1){(IS_SIGNED != 0) & code[BITS-1]}}, code};
      wire [SUM_BITS-1:0] sum = (pixel == 0) ? {SUM_BITS{1'b0}} : so_far[p*SUM_BITS +: SUM_BITS];
      assign now[p*SUM_BITS +: SUM_BITS] = sum + value;
    end
  endgenerate

  always @(posedge clk) begin
    if (go) sums[at] <= now;
    if (en) out_data <= now;
    if (rst) begin
      out_valid <= 1'b0;
      pixel <= 0;
      at <= 0;
    end else begin
      if (en) out_valid <= in_valid & last_pixel;
      if (go) begin
        at <= last_word ? 0 : at + 1'b1;
        if (last_word) pixel <= last_pixel ? 0 : pixel + 1'b1;
      end
    end
  end
endmodule
