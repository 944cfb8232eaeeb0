// Sliding window unit that leaves out the windows of skipped positions; else as sliding_window.v.
//
// mask has a bit for every tile of positions (1: its windows are written), read at the first position of the tile and
// kept for its other rows; bits go on to out1.
//
// HEIGHT, WIDTH            map
// WORDS                    words per pixel
// KERNEL, STRIDE, PADDING  PADDING < KERNEL
// BITS                     of a word
// TILE                     positions that a tile is high and wide: 1 or 2
// RING_ROWS                rows of the ring
// MEMORY                   ram_style of the ring
//
// Schedule: as sliding_window.v; a skipped position takes a cycle. A row leaves the ring with the last position of
// the last output row that needs it.
module skipping_ring #(
  parameter HEIGHT = 4,
  parameter WIDTH = 4,
  parameter WORDS = 1,
  parameter KERNEL = 3,
  parameter STRIDE = 1,
  parameter PADDING = 0,
  parameter BITS = 8,
  parameter TILE = 1,
  parameter RING_ROWS = 6,
  parameter MEMORY = "block"
) (
  input clk,
  input rst,
  input [BITS-1:0] in_data,
  input in_valid,
  output in_ready,
  input mask_data,
  input mask_valid,
  output mask_ready,
  output [BITS-1:0] out0_data,
  output reg out0_valid,
  input out0_ready,
  output reg out1_data,
  output reg out1_valid,
  input out1_ready
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
  localparam TILES = (OUT_COLS + TILE - 1) / TILE;
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
  reg [ADDRESS_BITS-1:0] first_base, row_base;  // of rows: first of the window, now
  reg [K_BITS-1:0] place;                       // rows of the map in this window so far
  reg [TILES-1:0] decided;                      // tiles of this row of positions
  reg fresh;                                    // the bit of this position was not read yet

  wire in_row = (row >= 0) & (row < HEIGHT);
  wire padding = ~in_row | (col < 0) | (col >= ROW_WORDS);
  wire signed [K_BITS:0] at_row = {1'b0, place};
  wire signed [AT_BITS:0] loaded = {1'b0, load_at};  // words of that row
  wire present = padding | (at_row < stored) | ((at_row == stored) & keep & (col < loaded));
  wire en = ~out0_valid | out0_ready;

  wire [$clog2(OUT_COLS+1)-1:0] tile = out_col / TILE;
  wire reads = fresh & (out_row % TILE == 0) & (out_col % TILE == 0);
  assign mask_ready = reads & (~out1_valid | out1_ready);
  wire reading = mask_ready & mask_valid;
  wire known = ~reads | reading;
  wire kept = reads ? mask_data : decided[tile];
  wire write = en & known & kept & present;

  wire run_ends = run == RUN - 1;
  wire window_ends = run_ends & (ky == KERNEL - 1);
  wire done = (known & ~kept) | (write & window_ends);  // with this position
  wire row_ends = out_col == OUT_COLS - 1;
  wire last = out_row == OUT_ROWS - 1;
  wire signed [ROW_BITS-1:0] begins = (top < 0) ? 0 : top, end_row = top + (last ? KERNEL : ADVANCE);
  wire signed [ROW_BITS-1:0] ends = (end_row < 0) ? 0 : (end_row > HEIGHT) ? HEIGHT : end_row;
  wire [K_BITS-1:0] freed = ends - begins;  // rows, when the output row ends
  wire [ADDRESS_BITS-1:0] after = (row_base == DEPTH - ROW_WORDS) ? 0 : row_base + ROW_WORDS;
  wire [ADDRESS_BITS:0] beyond = first_base + freed * ROW_WORDS;
  wire [ADDRESS_BITS-1:0] stays = (beyond >= DEPTH) ? beyond - DEPTH : beyond;

  (* ram_style = MEMORY *) reg [BITS-1:0] ring [0:DEPTH-1];
  reg [BITS-1:0] fetched;
  reg blank;
  wire [ADDRESS_BITS-1:0] address = padding ? 0 : row_base + col;
  assign out0_data = blank ? {BITS{1'b0}} : fetched;

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

    if (reading) begin
      out1_data <= mask_data;
      decided[tile] <= mask_data;
    end
    if (rst) begin
      out0_valid <= 1'b0;
      out1_valid <= 1'b0;
      fresh <= 1'b1;
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
      place <= 0;
    end else begin
      if (en) out0_valid <= write;
      out1_valid <= reading | (out1_valid & ~out1_ready);
      fresh <= done | (fresh & ~reading);
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
        end
      end
      if (done) begin
        ky <= 0;
        row <= top;
        left <= left + STRIDE * WORDS;
        col <= left + STRIDE * WORDS;
        out_col <= out_col + 1'b1;
        place <= 0;
        row_base <= first_base;
        if (row_ends) begin
          top <= last ? TOP : top + STRIDE;
          row <= last ? TOP : top + STRIDE;
          left <= LEFT;
          col <= LEFT;
          out_col <= 0;
          out_row <= last ? 0 : out_row + 1'b1;
          first_base <= stays;
          row_base <= stays;
        end
      end
    end

    if (rst) stored <= 0;
    else stored <= stored + (load_ends & keep) - ((done & row_ends) ? freed : {K_BITS{1'b0}});
  end
endmodule
