// Sliding window unit (FINN: ConvolutionInputGenerator): a map in, its KERNEL x KERNEL windows out in order
// (ky, kx, channel). Padding is written here, never loaded: code 0, which is 0, and -1 in a bipolar map.
//
// HEIGHT, WIDTH            map
// WORDS                    words per pixel
// KERNEL, STRIDE, PADDING  PADDING < KERNEL
// BITS                     of a word
// RING_ROWS                rows of the ring
// MEMORY                   ram_style of the ring
//
// Schedule: rows that a window needs wait in a ring. Every cycle two things are done, each by the state before
// the cycle and neither waiting for the other:
//   load   the next input word is taken where one is there and the ring has room for its row (rows that no
//          window needs are taken and dropped);
//   write  the next word of a window is fetched where the output register is free and the word is padding or
//          was loaded in an earlier cycle; it shows in the next cycle.
// A row leaves the ring with the last word of the last output row that needs it. So a frame takes the larger
// of its input and its output words, in cycles, and the next one is loaded meanwhile.
module sliding_window #(
  parameter HEIGHT = 4,
  parameter WIDTH = 4,
  parameter WORDS = 1,
  parameter KERNEL = 3,
  parameter STRIDE = 1,
  parameter PADDING = 0,
  parameter BITS = 8,
  parameter RING_ROWS = 6,
  parameter MEMORY = "block"
) (
  input clk,
  input rst,
  input [BITS-1:0] in_data,
  input in_valid,
  output in_ready,
  output [BITS-1:0] out_data,
  output reg out_valid,
  input out_ready
);
  localparam OUT_ROWS = (HEIGHT + 2 * PADDING - KERNEL) / STRIDE + 1;
  localparam OUT_COLS = (WIDTH + 2 * PADDING - KERNEL) / STRIDE + 1;
  localparam ROW_WORDS = WIDTH * WORDS, DEPTH = RING_ROWS * ROW_WORDS;
  localparam RUN = KERNEL * WORDS;  // words of a window that lie side by side
  localparam ADVANCE = (STRIDE < KERNEL) ? STRIDE : KERNEL;  // rows that an output row is done with
  localparam END = (OUT_ROWS - 1) * STRIDE - PADDING + KERNEL;
  localparam NEEDED = (END < HEIGHT) ? END : HEIGHT;

  localparam ADDRESS_BITS = $clog2(DEPTH + 1), STORED_BITS = $clog2(RING_ROWS + 1);
  localparam LINE_BITS = $clog2(HEIGHT + 1), AT_BITS = $clog2(ROW_WORDS + 1);
  localparam ROW_BITS = $clog2(HEIGHT + PADDING + KERNEL + STRIDE) + 1;  // signed
  localparam COL_BITS = $clog2((WIDTH + PADDING + KERNEL + STRIDE) * WORDS) + 1;  // signed
  localparam K_BITS = $clog2(KERNEL + 1), S_BITS = $clog2(STRIDE + 1);
  localparam signed [ROW_BITS-1:0] TOP = -PADDING;
  localparam signed [COL_BITS-1:0] LEFT = -PADDING * WORDS;

  // whole rows in the ring; -1 while the end of a row comes that the windows have no use for
  reg signed [STORED_BITS:0] stored;

  // load
  reg [LINE_BITS-1:0] load_row;
  reg [AT_BITS-1:0] load_at;
  reg [S_BITS-1:0] phase;  // of the stride
  reg [ADDRESS_BITS-1:0] load_address;
  wire keep = (load_row < NEEDED) & ((STRIDE <= KERNEL) | (phase < KERNEL));
  assign in_ready = ~keep | (stored < RING_ROWS);
  wire load = in_valid & in_ready;
  wire load_ends = load & (load_at == ROW_WORDS - 1);  // a row

  // write
  reg signed [ROW_BITS-1:0] top, row;   // of the window, of the word: rows of the map
  reg signed [COL_BITS-1:0] left, col;  // the same, in words of a row
  reg [$clog2(RUN+1)-1:0] run;
  reg [K_BITS-1:0] ky;
  reg [$clog2(OUT_COLS+1)-1:0] out_col;
  reg [$clog2(OUT_ROWS+1)-1:0] out_row;
  reg [ADDRESS_BITS-1:0] first_base, row_base, next_base;  // of rows: first of the window, now, first to stay
  reg [K_BITS-1:0] place, freeing;  // rows of the map in this window: so far, so far done with

  wire in_row = (row >= 0) & (row < HEIGHT);
  wire padding = ~in_row | (col < 0) | (col >= ROW_WORDS);
  wire signed [K_BITS:0] at_row = {1'b0, place};
  wire signed [AT_BITS:0] loaded = {1'b0, load_at};  // words of that row
  wire present = padding | (at_row < stored) | ((at_row == stored) & keep & (col < loaded));
  wire en = ~out_valid | out_ready;
  wire write = en & present;

  wire run_ends = run == RUN - 1;
  wire window_ends = run_ends & (ky == KERNEL - 1);
  wire row_ends = window_ends & (out_col == OUT_COLS - 1);
  wire last = out_row == OUT_ROWS - 1;
  wire frees = in_row & (last | (ky < ADVANCE));  // this row, when the output row ends
  wire [ADDRESS_BITS-1:0] after = (row_base == DEPTH - ROW_WORDS) ? 0 : row_base + ROW_WORDS;
  wire [ADDRESS_BITS-1:0] stays = frees ? after : next_base;
  wire [K_BITS-1:0] freed = freeing + frees;

  (* ram_style = MEMORY *) reg [BITS-1:0] ring [0:DEPTH-1];
  reg [BITS-1:0] fetched;
  reg blank;
  wire [ADDRESS_BITS-1:0] address = padding ? 0 : row_base + col;
  assign out_data = blank ? {BITS{1'b0}} : fetched;

  always @(posedge clk) begin
    if (load & keep) ring[load_address] <= in_data;
    if (en) begin
      fetched <= ring[address];
      blank <= padding;
    end

    if (rst) begin
      load_row <= 0;
      load_at <= 0;
      phase <= PADDING % STRIDE;
      load_address <= 0;
    end else if (load) begin
      load_at <= load_ends ? 0 : load_at + 1'b1;
      if (keep) load_address <= (load_address == DEPTH - 1) ? 0 : load_address + 1'b1;
      if (load_ends) begin
        load_row <= (load_row == HEIGHT - 1) ? 0 : load_row + 1'b1;
        phase <= (load_row == HEIGHT - 1) ? PADDING % STRIDE : (phase == STRIDE - 1) ? 0 : phase + 1'b1;
      end
    end

    if (rst) begin
      out_valid <= 1'b0;
      top <= TOP;
      row <= TOP;
      left <= LEFT;
      col <= LEFT;
      run <= 0;
      ky <= 0;
      out_col <= 0;
      out_row <= 0;
      first_base <= 0;
      row_base <= 0;
      next_base <= 0;
      place <= 0;
      freeing <= 0;
    end else begin
      if (en) out_valid <= present;
      if (write) begin
        run <= run_ends ? 0 : run + 1'b1;
        col <= run_ends ? left : col + 1'b1;
        if (run_ends) begin
          ky <= ky + 1'b1;
          row <= row + 1'b1;
          if (in_row) begin
            place <= place + 1'b1;
            row_base <= after;
          end
          next_base <= stays;
          freeing <= freed;
        end
        if (window_ends) begin
          ky <= 0;
          row <= top;
          left <= left + STRIDE * WORDS;
          col <= left + STRIDE * WORDS;
          out_col <= out_col + 1'b1;
          place <= 0;
          row_base <= first_base;
          next_base <= first_base;
          freeing <= 0;
        end
        if (row_ends) begin
          top <= last ? TOP : top + STRIDE;
          row <= last ? TOP : top + STRIDE;
          left <= LEFT;
          col <= LEFT;
          out_col <= 0;
          out_row <= last ? 0 : out_row + 1'b1;
          first_base <= stays;
          row_base <= stays;
          next_base <= stays;
        end
      end
    end

    if (rst) stored <= 0;
    else stored <= stored + (load_ends & keep) - ((write & row_ends) ? freed : {K_BITS{1'b0}});
  end
endmodule
