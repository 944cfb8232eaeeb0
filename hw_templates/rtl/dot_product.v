// Sum of SIMD products: one PE, one step. Which arithmetic it is depends on what is 1 bit, that is bipolar
// (bit 1 is +1, bit 0 is -1).
//
// SIMD         products
// WEIGHT_BITS  1: bipolar, else two's complement without its smallest value
// IN_BITS      of an element of the input; 1: bipolar
// IN_SIGNED    1: two's complement
// SUM_BITS     of the result, modulo 2^SUM_BITS
// USE_DSP      "yes" or "no": what Vivado builds products of (yosys decides by its own options)
//
// Weights and input both bipolar: the result counts the matches. A match is registered by itself; six of them
// are counted in one level of LUT6, then adder_tree adds the counts.
// The result for w and x of cycle t is there in cycle t + 1 + LEVELS of adder_tree, which has SIMD terms, or
// ceil(SIMD / 6) where matches are counted; nothing moves while en is 0.
module dot_product #(
  parameter SIMD = 4,
  parameter WEIGHT_BITS = 4,
  parameter IN_BITS = 4,
  parameter IN_SIGNED = 0,
  parameter SUM_BITS = 16,
  parameter USE_DSP = "no"
) (
  input clk,
  input en,
  input [SIMD*WEIGHT_BITS-1:0] w,
  input [SIMD*IN_BITS-1:0] x,
  output [SUM_BITS-1:0] sum
);
  genvar s;
  generate
    if (WEIGHT_BITS == 1 && IN_BITS == 1) begin : counting
      localparam SIXES = (SIMD + 5) / 6;
      reg [SIMD-1:0] match;
      wire [SIXES*6-1:0] padded = match;
      wire [SIXES*3-1:0] counts;
      wire [3+$clog2(SIXES)-1:0] total;
      always @(posedge clk) if (en) match <= ~(w ^ x);
      // truth tables of the upper bits of the number of ones among six bits
      wire [63:0] fours = 64'hfee8e880e8808000, twos = 64'h8117177e177e7ee8;
      for (s = 0; s < SIXES; s = s + 1) begin : six
        wire [5:0] bits = padded[s*6 +: 6];
        assign counts[s*3 +: 3] = {fours[bits], twos[bits], ^bits};
      end
      adder_tree #(.N(SIXES), .BITS(3), .SIGNED(0)) tree (
        .clk(clk), .en(en), .terms(counts), .sum(total));
      assign sum = total;
    end else begin : products
      localparam INPUT = IN_BITS + (IN_SIGNED ? 0 : 1);  // as a signed number
      localparam TERM = (IN_BITS == 1) ? WEIGHT_BITS : (WEIGHT_BITS == 1) ? IN_BITS + 1 : WEIGHT_BITS + IN_BITS;
      wire [SIMD*TERM-1:0] terms;
      wire signed [TERM+$clog2(SIMD)-1:0] total;
      for (s = 0; s < SIMD; s = s + 1) begin : lane
        wire [IN_BITS-1:0] code = x[s*IN_BITS +: IN_BITS];
        wire signed [WEIGHT_BITS-1:0] weight = w[s*WEIGHT_BITS +: WEIGHT_BITS];
        wire signed [INPUT-1:0] value = {(IN_SIGNED != 0) & code[IN_BITS-1], code};
        if (IN_BITS == 1) begin : by_sign_of_input
          reg signed [TERM-1:0] term;
          always @(posedge clk) if (en) term <= code[0] ? weight : -weight;
          assign terms[s*TERM +: TERM] = term;
        end else if (WEIGHT_BITS == 1) begin : by_sign_of_weight
          reg signed [TERM-1:0] term;
          always @(posedge clk) if (en) term <= weight[0] ? value : -value;
          assign terms[s*TERM +: TERM] = term;
        end else begin : product
          (* use_dsp = USE_DSP *) reg signed [TERM-1:0] term;
          always @(posedge clk) if (en) term <= weight * value;
          assign terms[s*TERM +: TERM] = term;
        end
      end
      adder_tree #(.N(SIMD), .BITS(TERM), .SIGNED(1)) tree (
        .clk(clk), .en(en), .terms(terms), .sum(total));
      assign sum = total;
    end
  endgenerate
endmodule
