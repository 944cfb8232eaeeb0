// Rounded means over windows of KERNEL x KERNEL that do not overlap, halves up; rows and columns that do not fill a
// window are read and dropped.
//
// HEIGHT, WIDTH  map
// WORDS          words per pixel
// PE             channels per word
// BITS           of an element
// KERNEL         a power of two, so that the division is a shift
// IS_SIGNED      1: two's complement
//
// Schedule: an input word per cycle. The sum so far of every window of a row of windows waits in a memory; a window
// that is complete shows its word in the cycle after its last input word.
module average_pool #(
  parameter HEIGHT = 4,
  parameter WIDTH = 4,
  parameter WORDS = 1,
  parameter KERNEL = 2,
  parameter PE = 1,
  parameter BITS = 4,
  parameter IS_SIGNED = 0
) (
  input clk,
  input rst,
  input [PE*BITS-1:0] in_data,
  input in_valid,
  output in_ready,
  output reg [PE*BITS-1:0] out_data,
  output reg out_valid,
  input out_ready
);
  localparam ROWS = HEIGHT / KERNEL * KERNEL, COLS = WIDTH / KERNEL * KERNEL;  // in whole windows
  localparam SHIFT = 2 * $clog2(KERNEL), SUM_BITS = BITS + SHIFT;
  localparam DEPTH = WIDTH / KERNEL * WORDS;
  localparam ROW_BITS = $clog2(HEIGHT + 1), COL_BITS = $clog2(WIDTH + 1), K_BITS = $clog2(KERNEL + 1);
  localparam WORD_BITS = $clog2(WORDS + 1), ADDRESS_BITS = $clog2(DEPTH + 1);

  reg [ROW_BITS-1:0] row;
  reg [COL_BITS-1:0] col;
  reg [K_BITS-1:0] ky, kx;
  reg [WORD_BITS-1:0] word;
  reg [ADDRESS_BITS-1:0] at;  // of the window and word in the memory

  wire en = ~out_valid | out_ready;
  wire go = en & in_valid;
  assign in_ready = en;

  (* ram_style = "distributed" *) reg [PE*SUM_BITS-1:0] sums [0:DEPTH-1];
  wire [PE*SUM_BITS-1:0] so_far = sums[at];
  wire [PE*SUM_BITS-1:0] now;
  wire [PE*BITS-1:0] means;
  genvar e;
  generate
    for (e = 0; e < PE; e = e + 1) begin : channel
      wire [BITS-1:0] a = in_data[e*BITS +: BITS];
      wire [SUM_BITS-1:0] wide = {{SHIFT{(IS_SIGNED != 0) & a[BITS-1]}}, a};
      wire first = (kx == 0) & (ky == 0);
      wire [SUM_BITS-1:0] sum = wide + (first ? {SUM_BITS{1'b0}} : so_far[e*SUM_BITS +: SUM_BITS]);
      // the mean of BITS bits cannot overflow, so neither sign nor carry of the rounded sum is needed
      wire [SUM_BITS-1:0] rounded = sum + (1 << (SHIFT - 1));
      assign now[e*SUM_BITS +: SUM_BITS] = sum;
      assign means[e*BITS +: BITS] = rounded[SUM_BITS-1:SHIFT];
    end
  endgenerate

  wire whole = (row < ROWS) & (col < COLS);
  wire last_word = word == WORDS - 1, last_col = col == WIDTH - 1, last_row = row == HEIGHT - 1;
  wire [ADDRESS_BITS-1:0] following = (at == DEPTH - 1) ? 0 : at + 1'b1;
  wire last_kx = kx == KERNEL - 1, last_ky = ky == KERNEL - 1;
  always @(posedge clk) begin
    if (go & whole) sums[at] <= now;
    if (en) out_data <= means;
    if (rst) begin
      out_valid <= 1'b0;
      row <= 0;
      col <= 0;
      ky <= 0;
      kx <= 0;
      word <= 0;
      at <= 0;
    end else begin
      if (en) out_valid <= in_valid & whole & last_kx & last_ky;
      if (go) begin
        word <= last_word ? 0 : word + 1'b1;
        if (col < COLS) at <= ~last_word ? at + 1'b1 : last_kx ? following : at - (WORDS - 1);
        if (last_word) begin
          col <= col + 1'b1;
          kx <= last_kx ? 0 : kx + 1'b1;
          if (last_col) begin
            at <= 0;
            col <= 0;
            kx <= 0;
            row <= last_row ? 0 : row + 1'b1;
            ky <= (last_row | last_ky) ? 0 : ky + 1'b1;
          end
        end
      end
    end
  end
endmodule
