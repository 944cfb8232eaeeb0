// Matrix-vector-threshold unit for balanced block column-row pruning: only kept weights are executed.
//
// Every BLOCK_ROWS x BLOCK_COLS (p x q) block of the MH x MW matrix keeps any KEPT_COLS (c) columns and one row
// of each residue class modulo KEPT_ROWS (r). L = min(PE, r) row lanes work in each of N = PE / L block rows,
// S = min(SIMD, c) kept columns in each of M = SIMD / S block columns. Steps of a vector: block row group,
// block column group, row step (r / L), column step (c / S).
//
// The choice of columns is the same in each of POSITIONS equal parts of the columns (kernel positions), and of whole
// aligned runs of RUN columns (blocks of channels): its index is stored once for all of them.
//
// WEIGHT_BITS, IN_BITS, IN_SIGNED, USE_DSP   as dot_product
// ACC_BITS, OUT_BITS, OUT_SIGNED, WORD_BITS  as activation
// MEMORY          of the weights, as weight_memory; load and pass are its load stream
// COLUMN_MEMORY   of the columns, as constant_memory
// CHOICE_MEMORY   of the choices
// WEIGHTS         memory file: per step the PE * SIMD weights, lane 0 in the low bits
// COLUMNS         memory file: per (block row group, block column group of a PERIOD, column steps of one run) the
//                 N * M * PICKS runs within their blocks, max(1, $clog2(q / RUN)) bits each
// CHOICES         memory file: per (block row group, block column group, row step) and row lane, which of the
//                 p / r rows of its residue class is kept, $clog2(p / r) bits each. Not read where r = p
// ROWS            memory file of activation
//
// Schedule: a step per cycle. A word of M whole block columns is read with the first of its steps in the first
// group of block rows, and kept for the other steps and groups. A lane has p / L accumulators. When a group is
// done, its N * p sums move to a second register, from which they leave in row order, PE per cycle, while the
// next group is computed: the pace is the slower of the two. A group whose last step is in cycle t shows its
// first word in cycle t + 5 + LEVELS + A: fetch, gather, dot_product (1 + LEVELS), accumulate, hand over,
// activation (A).
// Handshake: steps stand still while a group is done and the sums before it have not left.
module tiled_matrix_unit #(
  parameter MH = 4,
  parameter MW = 4,
  parameter PE = 1,
  parameter SIMD = 1,
  parameter BLOCK_ROWS = 2,
  parameter BLOCK_COLS = 2,
  parameter KEPT_ROWS = 1,
  parameter KEPT_COLS = 1,
  parameter POSITIONS = 1,
  parameter RUN = 1,
  parameter WEIGHT_BITS = 4,
  parameter IN_BITS = 4,
  parameter IN_SIGNED = 0,
  parameter ACC_BITS = 16,
  parameter OUT_BITS = 4,
  parameter OUT_SIGNED = 0,
  parameter WORD_BITS = 4,
  parameter USE_DSP = "no",
  parameter MEMORY = "block",
  parameter COLUMN_MEMORY = "distributed",
  parameter CHOICE_MEMORY = "distributed",
  parameter WEIGHTS = "weights.hex",
  parameter COLUMNS = "columns.hex",
  parameter CHOICES = "choices.hex",
  parameter ROWS = "rows.hex",
  parameter IN_WIDTH = ((SIMD > KEPT_COLS) ? SIMD / KEPT_COLS : 1) * BLOCK_COLS  // elements; follows
) (
  input clk,
  input rst,
  input [IN_WIDTH*IN_BITS-1:0] in_data,
  input in_valid,
  output in_ready,
  output [PE*WORD_BITS-1:0] out_data,
  output out_valid,
  input out_ready,
  input [65:0] load,
  output load_ready,
  output [65:0] pass,
  input pass_ready
);
  localparam L = (PE < KEPT_ROWS) ? PE : KEPT_ROWS, N = PE / L;
  localparam S = (SIMD < KEPT_COLS) ? SIMD : KEPT_COLS, M = SIMD / S;
  localparam ROW_GROUPS = MH / BLOCK_ROWS / N, COL_GROUPS = MW / BLOCK_COLS / M;
  localparam ROW_STEPS = KEPT_ROWS / L, COL_STEPS = KEPT_COLS / S;
  localparam GROUP_STEPS = COL_GROUPS * ROW_STEPS * COL_STEPS, STEPS = ROW_GROUPS * GROUP_STEPS;
  // lanes whose columns are neighbours in a run; column steps in the same runs; indices of a block in a step
  localparam STRIDE = (S < RUN) ? S : RUN, SHARING = RUN / STRIDE, BLOCK_PICKS = S / STRIDE;
  localparam CANDIDATES = BLOCK_COLS / STRIDE, PICK_STEPS = COL_STEPS / SHARING;
  // groups of block columns after which the choice repeats: PART / gcd(PART, M)
  localparam PART = MW / BLOCK_COLS / POSITIONS;
  function integer common(input integer a, input integer b);
    integer rest, x, y;
    begin
      x = a;
      y = b;
      while (y != 0) begin
        rest = x % y;
        x = y;
        y = rest;
      end
      common = x;
    end
  endfunction
  localparam PERIOD = PART / common(PART, M), PERIOD_STEPS = PERIOD * PICK_STEPS;
  localparam GATHERS = ROW_GROUPS * PERIOD_STEPS, PICKS = ROW_GROUPS * COL_GROUPS * ROW_STEPS;
  localparam PER_CLASS = BLOCK_ROWS / KEPT_ROWS, SLOTS = BLOCK_ROWS / L;  // accumulators of a lane
  localparam POPCOUNT = WEIGHT_BITS == 1 && IN_BITS == 1;
  localparam TERMS = POPCOUNT ? (SIMD + 5) / 6 : SIMD;
  localparam DELAY = 3 + ($clog2(TERMS) + 1) / 2;  // from a step to its dot product

  localparam STEP_BITS = (STEPS > 1) ? $clog2(STEPS) : 1;
  localparam GATHER_BITS = (GATHERS > 1) ? $clog2(GATHERS) : 1;
  localparam PICK_BITS = (PICKS > 1) ? $clog2(PICKS) : 1;
  localparam GROUP_BITS = (GROUP_STEPS > 1) ? $clog2(GROUP_STEPS) : 1;
  localparam COL_GROUP_BITS = (COL_GROUPS > 1) ? $clog2(COL_GROUPS) : 1;
  localparam ROW_STEP_BITS = (ROW_STEPS > 1) ? $clog2(ROW_STEPS) : 1;
  localparam COL_STEP_BITS = (COL_STEPS > 1) ? $clog2(COL_STEPS) : 1;
  localparam PICK_STEP_BITS = (PICK_STEPS > 1) ? $clog2(PICK_STEPS) : 1;
  localparam SHARING_BITS = (SHARING > 1) ? $clog2(SHARING) : 1;
  localparam PHASE_BITS = (PERIOD > 1) ? $clog2(PERIOD) : 1;
  localparam COLUMN_BITS = (BLOCK_COLS > RUN) ? $clog2(BLOCK_COLS / RUN) : 1;
  localparam FROM_BITS = (CANDIDATES > 1) ? $clog2(CANDIDATES) : 1;
  localparam CHOICE_BITS = (PER_CLASS > 1) ? $clog2(PER_CLASS) : 1;
  localparam SLOT_BITS = (SLOTS > 1) ? $clog2(SLOTS) : 1;
  localparam PART_BITS = $clog2(SLOTS + 1);

  wire en;  // steps move

  // front: which word, which columns, which weights
  reg first;  // group of block rows
  reg [COL_GROUP_BITS-1:0] col_group;
  reg [ROW_STEP_BITS-1:0] row_step;
  reg [PICK_STEP_BITS-1:0] pick_step;  // with part: the column step
  reg [SHARING_BITS-1:0] part;
  reg [STEP_BITS-1:0] step;
  reg [GATHER_BITS-1:0] gathering;  // of the first column step of these blocks
  reg [PHASE_BITS-1:0] phase;       // of the period
  wire reads = first & (row_step == 0) & (pick_step == 0) & (part == 0);
  wire go = en & (~reads | in_valid);
  assign in_ready = en & reads;
  wire run_ends = part == SHARING - 1;
  wire tile_row_ends = run_ends & (pick_step == PICK_STEPS - 1);
  wire tile_ends = tile_row_ends & (row_step == ROW_STEPS - 1);
  wire group_ends = tile_ends & (col_group == COL_GROUPS - 1);
  wire vector_ends = step == STEPS - 1;
  (* ram_style = "distributed" *) reg [IN_WIDTH*IN_BITS-1:0] kept [0:COL_GROUPS-1];
  reg [IN_WIDTH*IN_BITS-1:0] word;
  wire [N*M*BLOCK_PICKS*COLUMN_BITS-1:0] column;
  reg [SHARING_BITS-1:0] part_behind;
  reg [STEP_BITS-1:0] step_behind;  // weights meet their inputs behind the gather
  wire [PE*SIMD*WEIGHT_BITS-1:0] w;
  wire [GATHER_BITS-1:0] gather_address = gathering + pick_step;
  constant_memory #(
    .WIDTH(N * M * BLOCK_PICKS * COLUMN_BITS), .DEPTH(GATHERS), .MEMORY(COLUMN_MEMORY), .FILE(COLUMNS)
  ) columns (.clk(clk), .en(en), .address(gather_address), .word(column));
  weight_memory #(
    .WIDTH(PE * SIMD * WEIGHT_BITS), .DEPTH(STEPS), .MEMORY(MEMORY), .FILE(WEIGHTS)
  ) weights (
    .clk(clk), .rst(rst), .load(load), .load_ready(load_ready), .pass(pass), .pass_ready(pass_ready),
    .en(en), .address(step_behind), .word(w));
  always @(posedge clk) begin
    if (go & reads) kept[col_group] <= in_data;
    if (en) begin
      word <= reads ? in_data : kept[col_group];
      step_behind <= step;
      part_behind <= part;
    end
    if (rst) begin
      first <= 1'b1;
      col_group <= 0;
      row_step <= 0;
      pick_step <= 0;
      part <= 0;
      step <= 0;
      gathering <= 0;
      phase <= 0;
    end else if (go) begin
      step <= vector_ends ? 0 : step + 1'b1;
      part <= run_ends ? 0 : part + 1'b1;
      if (run_ends) pick_step <= tile_row_ends ? 0 : pick_step + 1'b1;
      if (tile_row_ends) row_step <= tile_ends ? 0 : row_step + 1'b1;
      if (tile_ends) begin
        col_group <= group_ends ? 0 : col_group + 1'b1;
        phase <= (phase == PERIOD - 1) ? 0 : phase + 1'b1;
        if (vector_ends) gathering <= 0;
        else if (phase == PERIOD - 1 && !group_ends) gathering <= gathering - (PERIOD_STEPS - PICK_STEPS);
        else gathering <= gathering + PICK_STEPS;
      end
      if (group_ends) first <= ROW_GROUPS == 1 || vector_ends;
    end
  end

  // back: steps arrive in order, so their place is counted again
  reg [DELAY-1:0] moving;  // steps on their way
  wire arrives = moving[DELAY-1];
  reg [COL_STEP_BITS-1:0] col_place;
  reg [ROW_STEP_BITS-1:0] row_place;
  reg [GROUP_BITS-1:0] group_place;  // of the step in its group
  wire col_place_ends = col_place == COL_STEPS - 1;
  wire [ROW_STEP_BITS-1:0] row_following = (row_place == ROW_STEPS - 1) ? 0 : row_place + 1'b1;
  wire [ROW_STEP_BITS-1:0] row_ahead = (arrives & col_place_ends) ? row_following : row_place;
  wire starts = group_place == 0;
  reg done;  // the sums are those of a whole group
  always @(posedge clk)
    if (rst) begin
      moving <= 0;
      col_place <= 0;
      row_place <= 0;
      group_place <= 0;
      done <= 1'b0;
    end else if (en) begin
      moving <= {moving, go};
      row_place <= row_ahead;
      if (arrives) begin
        col_place <= col_place_ends ? 0 : col_place + 1'b1;
        group_place <= (group_place == GROUP_STEPS - 1) ? 0 : group_place + 1'b1;
      end
      done <= arrives & (group_place == GROUP_STEPS - 1);
    end

  // accumulator of every lane: choice * ROW_STEPS + row step, read ahead
  wire [PE*CHOICE_BITS-1:0] choice;
  generate
    if (PER_CLASS > 1) begin : choosing
      reg [PICK_BITS-1:0] pick;
      wire [PICK_BITS-1:0] pick_following = (pick == PICKS - 1) ? 0 : pick + 1'b1;
      wire [PICK_BITS-1:0] pick_ahead = (arrives & col_place_ends) ? pick_following : pick;
      constant_memory #(
        .WIDTH(PE * CHOICE_BITS), .DEPTH(PICKS), .MEMORY(CHOICE_MEMORY), .FILE(CHOICES)
      ) choices (.clk(clk), .en(en), .address(pick_ahead), .word(choice));
      always @(posedge clk)
        if (rst) pick <= 0;
        else if (en) pick <= pick_ahead;
    end else begin : all_rows
      assign choice = 0;
    end
  endgenerate

  wire [PE*SLOTS*ACC_BITS-1:0] sums;  // lane after lane
  genvar n, l, k, a;
  generate
    for (n = 0; n < N; n = n + 1) begin : block_row
      reg [SIMD*IN_BITS-1:0] x;
      for (k = 0; k < SIMD; k = k + 1) begin : gather
        localparam PICK = (n * M + k / S) * BLOCK_PICKS + k % S / STRIDE;
        wire [CANDIDATES*IN_BITS-1:0] block;  // every STRIDE-th column from that of the lane on
        for (a = 0; a < CANDIDATES; a = a + 1) begin : candidate
          assign block[a*IN_BITS +: IN_BITS] =
              word[(k/S*BLOCK_COLS+a*STRIDE+k%STRIDE)*IN_BITS +: IN_BITS];
        end
        wire [COLUMN_BITS-1:0] index = column[PICK*COLUMN_BITS +: COLUMN_BITS];
        wire [FROM_BITS-1:0] from;
        if (SHARING > 1) begin : in_run
          assign from = index * SHARING + part_behind;
        end else begin : whole_run
          assign from = index;
        end
        always @(posedge clk) if (en) x[k*IN_BITS +: IN_BITS] <= block[from*IN_BITS +: IN_BITS];
      end
      for (l = 0; l < L; l = l + 1) begin : lane
        localparam P = n * L + l;
        wire [ACC_BITS-1:0] dot;
        dot_product #(
          .SIMD(SIMD), .WEIGHT_BITS(WEIGHT_BITS), .IN_BITS(IN_BITS), .IN_SIGNED(IN_SIGNED),
          .SUM_BITS(ACC_BITS), .USE_DSP(USE_DSP)
        ) product (
          .clk(clk), .en(en), .w(w[P*SIMD*WEIGHT_BITS +: SIMD*WEIGHT_BITS]), .x(x), .sum(dot));
        reg [SLOTS*ACC_BITS-1:0] own;
        wire [SLOT_BITS-1:0] slot = choice[P*CHOICE_BITS +: CHOICE_BITS] * ROW_STEPS + row_place;
        wire [ACC_BITS-1:0] total = (starts ? {ACC_BITS{1'b0}} : own[slot*ACC_BITS +: ACC_BITS]) + dot;
        for (a = 0; a < SLOTS; a = a + 1) begin : accumulator
          always @(posedge clk)
            if (en & arrives) begin
              if (slot == a) own[a*ACC_BITS +: ACC_BITS] <= total;
              else if (starts) own[a*ACC_BITS +: ACC_BITS] <= 0;
            end
        end
        assign sums[P*SLOTS*ACC_BITS +: SLOTS*ACC_BITS] = own;
      end
    end
  endgenerate

  // hand over: row x of a block is in lane x % L, accumulator x / L
  reg [N*BLOCK_ROWS*ACC_BITS-1:0] leaving;
  reg [PART_BITS-1:0] parts;  // words that have not left
  wire out_en = ~out_valid | out_ready;
  wire emits = out_en & (parts != 0);
  wire takes = (parts == 0) | (emits & (parts == 1));
  assign en = ~done | takes;
  wire [N*BLOCK_ROWS*ACC_BITS-1:0] in_row_order;
  generate
    for (n = 0; n < N; n = n + 1) begin : order_block
      for (k = 0; k < BLOCK_ROWS; k = k + 1) begin : order_row
        assign in_row_order[(n*BLOCK_ROWS+k)*ACC_BITS +: ACC_BITS] =
            sums[((n*L+k%L)*SLOTS+k/L)*ACC_BITS +: ACC_BITS];
      end
    end
  endgenerate
  always @(posedge clk) begin
    if (done & takes) leaving <= in_row_order;
    else if (emits) leaving <= leaving >> (PE * ACC_BITS);
    if (rst) parts <= 0;
    else if (done & takes) parts <= SLOTS;
    else if (emits) parts <= parts - 1'b1;
  end

  activation #(
    .PE(PE), .ACC_BITS(ACC_BITS), .POPCOUNT(POPCOUNT), .OUT_BITS(OUT_BITS), .OUT_SIGNED(OUT_SIGNED),
    .WORD_BITS(WORD_BITS),
    .WORDS(MH / PE), .ROWS(ROWS)
  ) finish (
    .clk(clk), .rst(rst), .en(out_en), .in_valid(parts != 0), .sums(leaving[PE*ACC_BITS-1:0]),
    .out_valid(out_valid), .out_data(out_data));
endmodule
