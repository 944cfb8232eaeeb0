// Stream width converter (FINN: StreamingDataWidthConverter): words of IN units in, words of OUT units out.
//
// IN, OUT  units per word, without a common divisor
// BITS     of a unit: as many elements as the two words have in common
//
// IN = 1: units are shifted in from the top, and the word is there in the cycle after its last unit.
// OUT = 1: a word is held while its units leave from the bottom, the first one in the cycle after it came.
// Else: IN + OUT units wait in a register; a word leaves in the cycle after enough are there.
// One word of the narrower side per cycle.
module width_converter #(
  parameter IN = 1,
  parameter OUT = 2,
  parameter BITS = 8
) (
  input clk,
  input rst,
  input [IN*BITS-1:0] in_data,
  input in_valid,
  output in_ready,
  output [OUT*BITS-1:0] out_data,
  output out_valid,
  input out_ready
);
  localparam ROOM = (IN == 1) ? OUT : (OUT == 1) ? IN : IN + OUT;
  reg [ROOM*BITS-1:0] waiting;
  reg [$clog2(ROOM+1)-1:0] held;  // units
  wire push = in_valid & in_ready;
  wire pop = out_valid & out_ready;
  assign out_data = waiting[OUT*BITS-1:0];
  assign out_valid = held >= OUT;

  generate
    if (IN == 1) begin : grow
      assign in_ready = ~out_valid | out_ready;
      always @(posedge clk)
        if (push) waiting <= {in_data, waiting} >> BITS;
    end else if (OUT == 1) begin : cut
      assign in_ready = (held == 0) | ((held == 1) & out_ready);
      always @(posedge clk)
        if (push) waiting <= in_data;
        else if (pop) waiting <= waiting >> BITS;
    end else begin : both
      wire [$clog2(ROOM+1)-1:0] left = pop ? held - OUT : held;
      wire [ROOM*BITS-1:0] rest = pop ? waiting >> (OUT * BITS) : waiting;
      wire [ROOM*BITS-1:0] fresh = in_data;
      assign in_ready = left <= OUT;
      // beyond `left` units the register holds zeros
      always @(posedge clk)
        if (rst) waiting <= 0;
        else waiting <= push ? rest | (fresh << (left * BITS)) : rest;
    end
  endgenerate

  always @(posedge clk)
    if (rst) held <= 0;
    else held <= held + (push ? IN : 0) - (pop ? OUT : 0);
endmodule
