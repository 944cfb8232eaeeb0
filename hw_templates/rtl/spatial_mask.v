// Decides which tiles of output positions of a convolution are computed, and hands on the map it looks at.
//
// Every pixel is compared with a reference: the sum over its elements of |element - reference|. A tile is computed
// (bit 1) where the sum over the SPAN x SPAN pixels that its windows cover is LEAST or more, SPAN = KERNEL +
// (TILE - 1) * STRIDE; what lies outside the map counts nothing.
//
// HEIGHT, WIDTH            map
// WORDS, SIMD, ELEMENT     words per pixel, elements per word, bits of an element
// IS_SIGNED                elements are two's complement
// KERNEL, STRIDE, PADDING  of the windows
// TILE                     positions that a tile is high and wide
// LEAST                    threshold, of SUM_BITS bits
// SUM_BITS                 hold the largest sum
// REFERENCE                memory file of the reference pixel, a word per line
//
// Schedule: a word is taken, and shown at out0, where out0 is free; its sum waits in a register. A step per cycle:
// such a sum, or a pixel below or to the right of the map that the last tiles reach into. Of every column the last
// SPAN - 1 pixels are kept, of the row the sums of the last SPAN - 1 columns. A tile is decided with the last word
// of its last pixel, where out1 is free.
module spatial_mask #(
  parameter HEIGHT = 4,
  parameter WIDTH = 4,
  parameter WORDS = 1,
  parameter SIMD = 1,
  parameter ELEMENT = 1,
  parameter IS_SIGNED = 0,
  parameter KERNEL = 3,
  parameter STRIDE = 1,
  parameter PADDING = 1,
  parameter TILE = 1,
  parameter LEAST = 1,
  parameter SUM_BITS = 4,
  parameter REFERENCE = "reference.hex"
) (
  input clk,
  input rst,
  input [SIMD*ELEMENT-1:0] in_data,
  input in_valid,
  output in_ready,
  output reg [SIMD*ELEMENT-1:0] out0_data,
  output reg out0_valid,
  input out0_ready,
  output reg out1_data,
  output reg out1_valid,
  input out1_ready
);
  localparam OUT_ROWS = (HEIGHT + 2 * PADDING - KERNEL) / STRIDE + 1;
  localparam OUT_COLS = (WIDTH + 2 * PADDING - KERNEL) / STRIDE + 1;
  localparam SPAN = KERNEL + (TILE - 1) * STRIDE, STEP = TILE * STRIDE;
  localparam END_ROW = ((OUT_ROWS + TILE - 1) / TILE - 1) * STEP - PADDING + SPAN;
  localparam END_COL = ((OUT_COLS + TILE - 1) / TILE - 1) * STEP - PADDING + SPAN;
  localparam HIGH = (END_ROW > HEIGHT) ? END_ROW : HEIGHT, WIDE = (END_COL > WIDTH) ? END_COL : WIDTH;
  localparam FIRST = SPAN - 1 - PADDING;  // row and column of the last pixel of the first tile
  localparam BEFORE = (SPAN > 1) ? SPAN - 1 : 1;
  localparam Y_BITS = $clog2(HIGH + 1), X_BITS = $clog2(WIDE + 1), W_BITS = $clog2(WORDS + 1);
  localparam AHEAD_BITS = $clog2(SPAN + STEP + 1);

  // words: what they differ by
  reg [SIMD*ELEMENT-1:0] reference [0:WORDS-1];
  initial $readmemh(REFERENCE, reference);
  reg [W_BITS-1:0] word;  // of the pixel that comes
  wire [SIMD*ELEMENT-1:0] against = reference[word];
  reg [SUM_BITS-1:0] far;
  integer e;
  reg signed [ELEMENT+1:0] a, b, apart;
  always @* begin
    far = 0;
    for (e = 0; e < SIMD; e = e + 1) begin
      a = {{2{(IS_SIGNED != 0) & in_data[e*ELEMENT+ELEMENT-1]}}, in_data[e*ELEMENT +: ELEMENT]};
      b = {{2{(IS_SIGNED != 0) & against[e*ELEMENT+ELEMENT-1]}}, against[e*ELEMENT +: ELEMENT]};
      apart = (a < b) ? b - a : a - b;
      far = far + apart;
    end
  end

  reg held_valid, held_ends;  // a sum waits; of the last word of a pixel
  reg [SUM_BITS-1:0] held;
  wire step;
  wire real_step;
  assign in_ready = (~out0_valid | out0_ready) & (~held_valid | (step & real_step));
  wire take = in_valid & in_ready;
  wire pixel_ends = word == WORDS - 1;

  // pixels
  reg [Y_BITS-1:0] y;
  reg [X_BITS-1:0] x;
  reg [AHEAD_BITS-1:0] ahead_y, ahead_x;  // pixels until the next tile is decided
  reg past_y, past_x;                     // the last tile was
  reg [SUM_BITS-1:0] pixel;               // words of this pixel so far
  reg [SUM_BITS*BEFORE-1:0] row;          // sums of the last columns, the latest lowest
  (* ram_style = "distributed" *) reg [SUM_BITS*BEFORE-1:0] columns [0:WIDE-1];

  assign real_step = (y < HEIGHT) & (x < WIDTH);
  wire pixel_done = ~real_step | held_ends;
  wire decides = pixel_done & ~past_y & ~past_x & (ahead_y == 0) & (ahead_x == 0);
  assign step = (~real_step | held_valid) & (~decides | ~out1_valid | out1_ready);

  wire [SUM_BITS*BEFORE-1:0] column = columns[x];
  wire [SUM_BITS-1:0] now = real_step ? pixel + held : {SUM_BITS{1'b0}};
  reg [SUM_BITS-1:0] height_sum, sum;
  integer i;
  always @* begin
    height_sum = now;
    for (i = 0; i < SPAN - 1; i = i + 1) if (i < y) height_sum = height_sum + column[i*SUM_BITS +: SUM_BITS];
    sum = height_sum;
    for (i = 0; i < SPAN - 1; i = i + 1) if (i < x) sum = sum + row[i*SUM_BITS +: SUM_BITS];
  end

  always @(posedge clk) begin
    if (take) begin
      out0_data <= in_data;
      held <= far;
      held_ends <= pixel_ends;
    end
    if (step & pixel_done) columns[x] <= (column << SUM_BITS) | now;
    if (step & decides) out1_data <= sum >= LEAST;
    if (step & pixel_done) row <= (row << SUM_BITS) | height_sum;

    if (rst) begin
      word <= 0;
      out0_valid <= 1'b0;
      out1_valid <= 1'b0;
      held_valid <= 1'b0;
      y <= 0;
      x <= 0;
      ahead_y <= FIRST;
      ahead_x <= FIRST;
      past_y <= 1'b0;
      past_x <= 1'b0;
      pixel <= 0;
    end else begin
      if (take) word <= pixel_ends ? 0 : word + 1'b1;
      out0_valid <= take | (out0_valid & ~out0_ready);
      held_valid <= take | (held_valid & ~(step & real_step));
      out1_valid <= (step & decides) | (out1_valid & ~out1_ready);
      if (step) pixel <= pixel_done ? {SUM_BITS{1'b0}} : now;
      if (step & pixel_done) begin
        x <= (x == WIDE - 1) ? 0 : x + 1'b1;
        ahead_x <= (x == WIDE - 1) ? FIRST : (ahead_x == 0) ? STEP - 1 : ahead_x - 1'b1;
        past_x <= (x != WIDE - 1) & (past_x | (x == END_COL - 1));
        if (x == WIDE - 1) begin
          y <= (y == HIGH - 1) ? 0 : y + 1'b1;
          ahead_y <= (y == HIGH - 1) ? FIRST : (ahead_y == 0) ? STEP - 1 : ahead_y - 1'b1;
          past_y <= (y != HIGH - 1) & (past_y | (y == END_ROW - 1));
        end
      end
    end
  end
endmodule
