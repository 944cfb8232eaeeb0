// Hands every word to two streams (FINN: DuplicateStreams).
//
// WIDTH  bits of a word
//
// Schedule: a word per cycle, shown to both streams in the cycle after it came. Either takes it when it is ready
// and is not shown it again; the next word comes when both have it.
module stream_fork #(
  parameter WIDTH = 8
) (
  input clk,
  input rst,
  input [WIDTH-1:0] in_data,
  input in_valid,
  output in_ready,
  output [WIDTH-1:0] out0_data,
  output reg out0_valid,
  input out0_ready,
  output [WIDTH-1:0] out1_data,
  output reg out1_valid,
  input out1_ready
);
  reg [WIDTH-1:0] word;
  assign out0_data = word;
  assign out1_data = word;
  assign in_ready = (~out0_valid | out0_ready) & (~out1_valid | out1_ready);
  wire push = in_valid & in_ready;

  always @(posedge clk) begin
    if (push) word <= in_data;
    if (rst) begin
      out0_valid <= 1'b0;
      out1_valid <= 1'b0;
    end else begin
      out0_valid <= push | (out0_valid & ~out0_ready);
      out1_valid <= push | (out1_valid & ~out1_ready);
    end
  end
endmodule
