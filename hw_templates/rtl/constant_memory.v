// Constants that are read one word per cycle.
//
// WIDTH   bits of a word
// DEPTH   words
// MEMORY  "distributed" (LUTs) or "block"
// FILE    memory file, a word per line in hexadecimal digits
//
// The word at the address of cycle t is there in cycle t + 1; nothing moves while en is 0.
module constant_memory #(
  parameter WIDTH = 8,
  parameter DEPTH = 2,
  parameter MEMORY = "block",
  parameter FILE = "constants.hex"
) (
  input clk,
  input en,
  input [((DEPTH > 1) ? $clog2(DEPTH) : 1)-1:0] address,
  output reg [WIDTH-1:0] word
);
  generate
    if (MEMORY == "distributed") begin : luts
`ifdef YOSYS
      (* rom_style = "logic" *)  // yosys maps no constants to LUT RAM, and LUTs are logic to it
`else
      (* rom_style = "distributed" *)
`endif
      reg [WIDTH-1:0] words [0:DEPTH-1];
      initial $readmemh(FILE, words);
      always @(posedge clk) if (en) word <= words[address];
    end else begin : blocks
      (* rom_style = MEMORY *) reg [WIDTH-1:0] words [0:DEPTH-1];
      initial $readmemh(FILE, words);
      always @(posedge clk) if (en) word <= words[address];
    end
  endgenerate
endmodule
