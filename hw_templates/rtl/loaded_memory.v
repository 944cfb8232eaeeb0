// Weights in UltraRAM, which starts empty: words that come once after every reset, then read one per cycle.
//
// WIDTH   bits of a word
// DEPTH   words, 2 or more
//
// Loading: a word comes in PARTS = ceil(WIDTH / 64) parts of 64 bits, low bits first, word 0 first. What comes
// when all words are there goes on to the memory behind, through a register.
//   load, pass   {all memories before it are full, valid, part}; load_ready, pass_ready: the part is taken
// Reading: the word at the address of cycle t is there in cycle t + 1; nothing moves while en is 0.
module loaded_memory #(
  parameter WIDTH = 72,
  parameter DEPTH = 4096
) (
  input clk,
  input rst,
  input [65:0] load,
  output load_ready,
  output reg [65:0] pass,
  input pass_ready,
  input en,
  input [$clog2(DEPTH)-1:0] address,
  output reg [WIDTH-1:0] word
);
  localparam PARTS = (WIDTH + 63) / 64, PART_BITS = (PARTS > 1) ? $clog2(PARTS) : 1;
  localparam ROW_BITS = $clog2(DEPTH);

  reg full;                      // all words have come
  reg write;                     // a whole one is in parts
  reg [PART_BITS-1:0] part;
  reg [ROW_BITS-1:0] row;
  reg [PARTS*64-1:0] parts;
  wire take = load[64] & load_ready;
  wire word_ends = part == PARTS - 1;
  assign load_ready = ~full | ~pass[64] | pass_ready;
  always @(posedge clk) begin
    if (take & ~full) parts <= {load[63:0], parts} >> 64;
    if (take & full) pass[63:0] <= load[63:0];
    if (rst) begin
      full <= 1'b0;
      write <= 1'b0;
      part <= 0;
      row <= 0;
      pass[65:64] <= 2'b00;
    end else begin
      write <= take & ~full & word_ends;
      if (take & ~full) begin
        part <= word_ends ? 0 : part + 1'b1;
        full <= word_ends & (row + write == DEPTH - 1);
      end
      if (write) row <= row + 1'b1;
      pass[65] <= load[65] & full;
      pass[64] <= (take & full) | (pass[64] & ~pass_ready);
    end
  end

  (* ram_style = "ultra" *) reg [WIDTH-1:0] words [0:DEPTH-1];
  always @(posedge clk) begin
    if (write) words[row] <= parts[WIDTH-1:0];
    if (en) word <= words[address];
  end
endmodule
