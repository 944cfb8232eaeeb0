// FIFO of DEPTH words with a register behind it.
//
// WIDTH   bits of a word
// DEPTH   words of the memory; the register holds one more
// MEMORY  ram_style of the memory: "distributed" or "block"
//
// Handshake: a word moves where valid and ready meet at a rising edge. in_ready depends on registers only, so
// a FIFO cuts the chain of ready signals. One word per cycle in and out; a word that enters in cycle t can
// leave from cycle t + 2 on.
module stream_fifo #(
  parameter WIDTH = 8,
  parameter DEPTH = 2,
  parameter MEMORY = "distributed"
) (
  input clk,
  input rst,
  input [WIDTH-1:0] in_data,
  input in_valid,
  output in_ready,
  output reg [WIDTH-1:0] out_data,
  output reg out_valid,
  input out_ready
);
  localparam ADDRESS_BITS = (DEPTH > 1) ? $clog2(DEPTH) : 1;

  (* ram_style = MEMORY *) reg [WIDTH-1:0] words [0:DEPTH-1];
  reg [ADDRESS_BITS-1:0] head, tail;       // next word to leave, next place to fill
  reg [$clog2(DEPTH+1)-1:0] held;          // words in the memory

  assign in_ready = held != DEPTH;
  wire push = in_valid & in_ready;
  wire pop = (held != 0) & (~out_valid | out_ready);

  always @(posedge clk) begin
    if (push) words[tail] <= in_data;
    if (pop) out_data <= words[head];
    if (rst) begin
      head <= 0;
      tail <= 0;
      held <= 0;
      out_valid <= 1'b0;
    end else begin
      if (push) tail <= (tail == DEPTH - 1) ? 0 : tail + 1'b1;
      if (pop) head <= (head == DEPTH - 1) ? 0 : head + 1'b1;
      held <= held + push - pop;
      if (pop) out_valid <= 1'b1;
      else if (out_ready) out_valid <= 1'b0;
    end
  end
endmodule
