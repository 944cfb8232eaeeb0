// One row of activation: from a sum to an output element.
//
// ACC_BITS, POPCOUNT, OUT_BITS, OUT_SIGNED, WORD_BITS   as activation
// ENTRIES   numbers of the row: 2^OUT_BITS - 1 thresholds, or its number of weights
//
// The element for the sum and the entries of cycle t is there in cycle t + 1 (t + 2 where OUT_BITS > 1: every
// threshold is compared, then the ones are counted); nothing moves while en is 0.
module activation_lane #(
  parameter ACC_BITS = 8,
  parameter POPCOUNT = 0,
  parameter OUT_BITS = 1,
  parameter OUT_SIGNED = 0,
  parameter WORD_BITS = 1,
  parameter ENTRIES = 1
) (
  input clk,
  input en,
  input [ACC_BITS-1:0] sum,
  input [ENTRIES*(ACC_BITS+1)-1:0] entries,
  output reg [WORD_BITS-1:0] out_data
);
  localparam ENTRY_BITS = ACC_BITS + 1;

  // number of ones of a ladder: thresholds ascend, so the ones are its low bits
  function [WORD_BITS-1:0] height(input [ENTRIES-1:0] ladder);
    reg [ENTRIES-1:0] left;
    integer b;
    begin
      left = ladder;
      height = 0;
      for (b = OUT_BITS - 1; b >= 0; b = b - 1) begin
        height[b] = left[(1 << b) - 1];
        if (height[b]) left = left >> (1 << b);
      end
    end
  endfunction

  genvar t;
  generate
    if (OUT_BITS == 0) begin : raw
      always @(posedge clk) if (en) out_data <= {sum, 1'b0} - entries;
    end else begin : thresholds
      wire [ENTRIES-1:0] reached;
      wire signed [ENTRY_BITS-1:0] value = {!POPCOUNT & sum[ACC_BITS-1], sum};
      for (t = 0; t < ENTRIES; t = t + 1) begin : compare
        wire signed [ENTRY_BITS-1:0] threshold = entries[t*ENTRY_BITS +: ENTRY_BITS];
        // a count reaches one more than ACC_BITS hold, so there the top bit is no sign
        if (POPCOUNT) assign reached[t] = $unsigned(value) >= $unsigned(threshold);
        else assign reached[t] = value >= threshold;
      end
      if (OUT_BITS == 1) begin : one
        always @(posedge clk) if (en) out_data <= reached;
      end else begin : many
        // what is less than half of all thresholds is below 0: the top bit is inverted
        localparam [WORD_BITS-1:0] ZERO = OUT_SIGNED ? 1 << (OUT_BITS - 1) : 0;
        reg [ENTRIES-1:0] ladder;
        always @(posedge clk)
          if (en) begin
            ladder <= reached;
            out_data <= height(ladder) ^ ZERO;
          end
      end
    end
  endgenerate
endmodule
