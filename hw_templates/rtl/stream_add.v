// Adds the words of two streams (FINN: AddStreams) and cuts every sum off at 0 and at the largest code: ReLU
// and quantisation at once, since both streams carry codes of one step.
//
// PE        channels per word
// BITS      of an element of either input and of the output, which is unsigned
// SIGNED0   1: the elements of the first input are two's complement
// SIGNED1   1: those of the second input are
//
// Schedule: a word of each input per cycle, both in the same; the sum is there in the cycle after.
module stream_add #(
  parameter PE = 1,
  parameter BITS = 4,
  parameter SIGNED0 = 0,
  parameter SIGNED1 = 0
) (
  input clk,
  input rst,
  input [PE*BITS-1:0] in0_data,
  input in0_valid,
  output in0_ready,
  input [PE*BITS-1:0] in1_data,
  input in1_valid,
  output in1_ready,
  output reg [PE*BITS-1:0] out_data,
  output reg out_valid,
  input out_ready
);
  wire en = ~out_valid | out_ready;
  assign in0_ready = en & in1_valid;
  assign in1_ready = en & in0_valid;

  wire [PE*BITS-1:0] now;
  genvar p;
  generate
    for (p = 0; p < PE; p = p + 1) begin : channel
      wire [BITS-1:0] a = in0_data[p*BITS +: BITS], b = in1_data[p*BITS +: BITS];
      wire [BITS+1:0] sum = {{2{(SIGNED0 != 0) & a[BITS-1]}}, a} + {{2{(SIGNED1 != 0) & b[BITS-1]}}, b};
      // two's complement: its top bit says below 0, the one beneath it above the largest code
      assign now[p*BITS +: BITS] = sum[BITS+1] ? {BITS{1'b0}} : sum[BITS] ? {BITS{1'b1}} : sum[BITS-1:0];
    end
  endgenerate

  always @(posedge clk) begin
    if (en) out_data <= now;
    if (rst) out_valid <= 1'b0;
    else if (en) out_valid <= in0_valid & in1_valid;
  end
endmodule
