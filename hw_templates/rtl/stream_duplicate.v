// Hands on every element of a word twice, side by side: a shortcut whose channels double.
//
// PE    elements per input word
// BITS  of an element
//
// Schedule: a word per cycle, there in the cycle after.
module stream_duplicate #(
  parameter PE = 1,
  parameter BITS = 8
) (
  input clk,
  input rst,
  input [PE*BITS-1:0] in_data,
  input in_valid,
  output in_ready,
  output reg [2*PE*BITS-1:0] out_data,
  output reg out_valid,
  input out_ready
);
  wire en = ~out_valid | out_ready;
  assign in_ready = en;

  wire [2*PE*BITS-1:0] twice;
  genvar e;
  generate
    for (e = 0; e < PE; e = e + 1) begin : element
      assign twice[2*e*BITS +: 2*BITS] = {2{in_data[e*BITS +: BITS]}};
    end
  endgenerate

  always @(posedge clk) begin
    if (en) out_data <= twice;
    if (rst) out_valid <= 1'b0;
    else if (en) out_valid <= in_valid;
  end
endmodule
