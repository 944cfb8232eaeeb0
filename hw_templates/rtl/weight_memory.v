// Weights of a unit, read one word per cycle: constants, or in UltraRAM words that are loaded.
//
// WIDTH   bits of a word
// DEPTH   words
// MEMORY  "distributed" or "block", as constant_memory; "ultra", as loaded_memory
// FILE    memory file of constants
//
// Load stream as loaded_memory; constants hand everything on. Reading as constant_memory.
module weight_memory #(
  parameter WIDTH = 8,
  parameter DEPTH = 2,
  parameter MEMORY = "block",
  parameter FILE = "constants.hex"
) (
  input clk,
  input rst,
  input [65:0] load,
  output load_ready,
  output [65:0] pass,
  input pass_ready,
  input en,
  input [((DEPTH > 1) ? $clog2(DEPTH) : 1)-1:0] address,
  output [WIDTH-1:0] word
);
  generate
    if (MEMORY == "ultra") begin : loads
      loaded_memory #(.WIDTH(WIDTH), .DEPTH(DEPTH)) memory (
        .clk(clk), .rst(rst), .load(load), .load_ready(load_ready), .pass(pass), .pass_ready(pass_ready),
        .en(en), .address(address), .word(word));
    end else begin : constants
      assign pass = load;
      assign load_ready = pass_ready;
      constant_memory #(.WIDTH(WIDTH), .DEPTH(DEPTH), .MEMORY(MEMORY), .FILE(FILE)) memory (
        .clk(clk), .en(en), .address(address), .word(word));
    end
  endgenerate
endmodule
