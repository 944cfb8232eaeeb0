// Puts the pixels of skipped positions, all the same, between those that were computed.
//
// in0 has the words of the computed pixels, in1 a bit for every tile of positions (1: computed), read at the first
// position of the tile and kept for its other rows.
//
// HEIGHT, WIDTH  of this map
// WORDS, BITS    words per pixel, bits of a word
// TILE           positions that a tile is high and wide: 1 or 2
// CONSTANTS      memory file of a skipped pixel, a word per line
//
// Schedule: a word per cycle, shown in the cycle after.
module constant_fill #(
  parameter HEIGHT = 4,
  parameter WIDTH = 4,
  parameter WORDS = 1,
  parameter BITS = 1,
  parameter TILE = 1,
  parameter CONSTANTS = "constants.hex"
) (
  input clk,
  input rst,
  input [BITS-1:0] in0_data,
  input in0_valid,
  output in0_ready,
  input in1_data,
  input in1_valid,
  output in1_ready,
  output reg [BITS-1:0] out_data,
  output reg out_valid,
  input out_ready
);
  localparam TILES = (WIDTH + TILE - 1) / TILE;
  reg [BITS-1:0] constants [0:WORDS-1];
  initial $readmemh(CONSTANTS, constants);

  reg [$clog2(WORDS+1)-1:0] word;
  reg [$clog2(WIDTH+1)-1:0] x;
  reg [$clog2(HEIGHT+1)-1:0] y;
  reg [TILES-1:0] decided;  // tiles of this row
  wire [$clog2(WIDTH+1)-1:0] tile = x / TILE;
  wire reads = (y % TILE == 0) & (x % TILE == 0) & (word == 0);
  wire kept = reads ? in1_data : decided[tile];
  wire known = ~reads | in1_valid;
  wire en = ~out_valid | out_ready;
  wire write = en & known & (~kept | in0_valid);
  assign in1_ready = reads & en & (~in1_data | in0_valid);
  assign in0_ready = en & known & kept;
  wire pixel_ends = word == WORDS - 1;

  always @(posedge clk) begin
    if (write) out_data <= kept ? in0_data : constants[word];
    if (write & reads) decided[tile] <= in1_data;
    if (rst) begin
      out_valid <= 1'b0;
      word <= 0;
      x <= 0;
      y <= 0;
    end else begin
      if (en) out_valid <= write;
      if (write) begin
        word <= pixel_ends ? 0 : word + 1'b1;
        if (pixel_ends) begin
          x <= (x == WIDTH - 1) ? 0 : x + 1'b1;
          if (x == WIDTH - 1) y <= (y == HEIGHT - 1) ? 0 : y + 1'b1;
        end
      end
    end
  end
endmodule
