// Hands out the words of a pixel of one stream, then those of the same pixel of the other one (FINN:
// StreamingConcat): the channels of both side by side.
//
// PE        channels per word
// BITS      of an element
// WORDS0    words per pixel of the first input
// WORDS1    of the second one
//
// Schedule: a word of one input per cycle; it is there in the cycle after.
module stream_concat #(
  parameter PE = 1,
  parameter BITS = 4,
  parameter WORDS0 = 1,
  parameter WORDS1 = 1
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
  reg [$clog2(WORDS0 + WORDS1)-1:0] word;  // of the pixel
  wire second = word >= WORDS0;
  wire en = ~out_valid | out_ready;
  wire valid = second ? in1_valid : in0_valid;
  assign in0_ready = en & ~second;
  assign in1_ready = en & second;

  always @(posedge clk) begin
    if (en) out_data <= second ? in1_data : in0_data;
    if (rst) begin
      out_valid <= 1'b0;
      word <= 0;
    end else if (en) begin
      out_valid <= valid;
      if (valid) word <= word == WORDS0 + WORDS1 - 1 ? 0 : word + 1'b1;
    end
  end
endmodule
