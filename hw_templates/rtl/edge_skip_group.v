// PEs that count the same words of a vector and go on when all their rows are decided: a part of edge_skip_unit,
// whose header says what the parameters are.
//
// PE       of the group
// WEIGHTS  memory file: a word of PE * SIMD weights per step, (pass, step)
// ROWS     memory file: a word of PE thresholds of ACC_BITS + 1 bits per pass
//
// Schedule: the register holds a word of the vector with its weights and thresholds. In its cycle the matches are
// counted, every row decides, and the address of the word that is needed next goes to the memories: of the same
// row, or of the next one where all are decided. It is in the register in the next cycle if it was taken before.
module edge_skip_group #(
  parameter MH = 4,
  parameter MW = 4,
  parameter PE = 1,
  parameter NF = 4,
  parameter SIMD = 1,
  parameter ACC_BITS = 3,
  parameter HELD = 2,
  parameter POOL = 0,
  parameter POOL_HEIGHT = 1,
  parameter POOL_WIDTH = 1,
  parameter MEMORY = "block",
  parameter WEIGHTS = "weights.hex",
  parameter ROWS = "rows.hex"
) (
  input clk,
  input rst,
  // a word of a vector is stored
  input take,
  input [SIMD-1:0] word,
  input [$clog2(HELD*(MW/SIMD)+1)-1:0] take_at,   // place
  input [$clog2(MW/SIMD+1)-1:0] take_step,        // word of the vector
  input whole,                                    // it is the last one
  // an output word leaves
  input send,
  input [$clog2(HELD*NF+1)-1:0] send_at,
  output ready,                                   // the word at send_at is finished
  output [PE-1:0] result
);
  localparam SF = MW / SIMD, STEPS = NF * SF;
  localparam K = (POOL > 0) ? POOL : 1;
  localparam COLUMNS = (POOL > 0) ? POOL_WIDTH / K : 1, LINES = (POOL > 0) ? POOL_HEIGHT / K : 1;
  localparam MARKS = (COLUMNS + ((POOL > 0 && POOL_WIDTH % K > 0) ? 1 : 0)) * NF;
  localparam STEP_BITS = (STEPS > 1) ? $clog2(STEPS) : 1, SF_BITS = $clog2(SF + 1);
  localparam NF_BITS = (NF > 1) ? $clog2(NF) : 1, AT_BITS = $clog2(HELD * SF + 1);
  localparam PLACE_BITS = $clog2(HELD * NF + 1), MARK_BITS = (MARKS > 1) ? $clog2(MARKS) : 1;
  localparam LEAD_BITS = $clog2(HELD + 2) + 1, LEFT_BITS = $clog2(MW + 1), ENTRY_BITS = ACC_BITS + 1;
  localparam COL_BITS = $clog2(COLUMNS + 1), LINE_BITS = $clog2(LINES + 1), K_BITS = $clog2(K + 1);

  // where the group is
  reg valid;                        // the register holds what is needed
  reg [NF_BITS-1:0] pass;
  reg [SF_BITS-1:0] step;
  reg [STEP_BITS-1:0] weight_at, weight_base;  // of the step, and of the first step of the pass
  reg [AT_BITS-1:0] at, base;                  // the same of the vector
  reg [LEFT_BITS-1:0] left;         // edges behind this word
  reg [PLACE_BITS-1:0] place;       // of the outputs
  reg [MARK_BITS-1:0] mark;         // of what the pool has seen
  reg [COL_BITS-1:0] col;
  reg [LINE_BITS-1:0] line;
  reg [K_BITS-1:0] kx, ky;
  reg signed [LEAD_BITS-1:0] lead;  // whole vectors that wait; -1: one was not even needed wholly
  reg [PLACE_BITS-1:0] ahead;       // outputs that wait

  wire [PE-1:0] decided_now, value_now;
  wire over = valid & (&decided_now);
  wire last_pass = pass == NF - 1;
  wire moved = over & last_pass;
  wire [SF_BITS-1:0] next_step = over ? 0 : valid ? step + 1'b1 : step;
  wire [STEP_BITS-1:0] next_base_w = last_pass ? 0 : weight_base + SF;
  wire [STEP_BITS-1:0] next_weight = over ? next_base_w : valid ? weight_at + 1'b1 : weight_at;
  wire [NF_BITS-1:0] next_pass = ~over ? pass : last_pass ? 0 : pass + 1'b1;
  wire [AT_BITS-1:0] next_base = ~last_pass ? base : (base == (HELD - 1) * SF) ? 0 : base + SF;
  wire [AT_BITS-1:0] next_at = over ? next_base : valid ? at + 1'b1 : at;
  wire signed [LEAD_BITS-1:0] there = lead - $signed({1'b0, moved});
  wire present = (there > 0) | ((there == 0) & (next_step < take_step));

  wire last_col = col * K + kx == POOL_WIDTH - 1, last_line = line * K + ky == POOL_HEIGHT - 1;
  wire last_kx = kx == K - 1, last_ky = ky == K - 1;
  wire first = (kx == 0) & (ky == 0);
  wire outside = (col == COLUMNS) | (line == LINES);

  // the vectors of this group's reading port, weights and thresholds
  (* ram_style = "distributed" *) reg [SIMD-1:0] vectors [0:HELD*SF-1];
  reg [SIMD-1:0] x;
  always @(posedge clk) begin
    if (take) vectors[take_at] <= word;
    x <= vectors[next_at];
  end
  wire [PE*SIMD-1:0] w;
  wire [PE*ENTRY_BITS-1:0] thresholds;
  constant_memory #(.WIDTH(PE * SIMD), .DEPTH(STEPS), .MEMORY(MEMORY), .FILE(WEIGHTS)) weights (
    .clk(clk), .en(1'b1), .address(next_weight), .word(w));
  constant_memory #(.WIDTH(PE * ENTRY_BITS), .DEPTH(NF), .MEMORY("distributed"), .FILE(ROWS)) rows (
    .clk(clk), .en(1'b1), .address(next_pass), .word(thresholds));

  genvar p;
  generate
    for (p = 0; p < PE; p = p + 1) begin : pe
      reg [ACC_BITS-1:0] sum;
      reg decided, value;
      wire [$clog2(SIMD+1)-1:0] matches;
      match_count #(.N(SIMD)) counted (.w(w[p*SIMD +: SIMD]), .x(x), .count(matches));
      wire begins = step == 0;
      wire [ENTRY_BITS-1:0] now = (begins ? 0 : sum) + matches;
      wire [ENTRY_BITS-1:0] threshold = thresholds[p*ENTRY_BITS +: ENTRY_BITS];
      wire [ENTRY_BITS:0] most = now + left;
      wire one = now >= threshold, zero = most < threshold;
      wire cancelled;
      wire before = begins ? cancelled : decided;
      assign decided_now[p] = before | one | zero;
      assign value_now[p] = before ? (begins | value) : one;
      always @(posedge clk)
        if (valid) begin
          sum <= now;
          decided <= decided_now[p];
          value <= value_now[p];
        end

      (* ram_style = "distributed" *) reg results [0:HELD*NF-1];
      always @(posedge clk) if (over) results[place] <= value_now[p];
      assign result[p] = results[send_at];

      if (POOL > 0) begin : pooled
        (* ram_style = "distributed" *) reg seen [0:MARKS-1];
        wire so_far = ~first & seen[mark];
        assign cancelled = outside | so_far;
        always @(posedge clk) if (over & ~outside) seen[mark] <= value_now[p] | so_far;
      end else begin : alone
        assign cancelled = 1'b0;
      end
    end
  endgenerate

  assign ready = ahead != 0;
  always @(posedge clk)
    if (rst) begin
      valid <= 1'b0;
      pass <= 0;
      step <= 0;
      weight_at <= 0;
      weight_base <= 0;
      at <= 0;
      base <= 0;
      left <= MW - SIMD;
      place <= 0;
      mark <= 0;
      col <= 0;
      line <= 0;
      kx <= 0;
      ky <= 0;
      lead <= 0;
      ahead <= 0;
    end else begin
      valid <= present;
      pass <= next_pass;
      step <= next_step;
      weight_at <= next_weight;
      at <= next_at;
      left <= over ? MW - SIMD : valid ? left - SIMD : left;
      lead <= there + $signed({1'b0, whole});
      ahead <= ahead + over - send;
      if (over) begin
        weight_base <= next_base_w;
        base <= next_base;
        place <= (place == HELD * NF - 1) ? 0 : place + 1'b1;
        if (~last_pass) mark <= mark + 1'b1;
        else if (POOL > 0) begin
          col <= last_col ? 0 : last_kx ? col + 1'b1 : col;
          kx <= (last_col | last_kx) ? 0 : kx + 1'b1;
          mark <= last_col ? 0 : last_kx ? mark + 1'b1 : mark - (NF - 1);
          if (last_col) begin
            line <= last_line ? 0 : last_ky ? line + 1'b1 : line;
            ky <= (last_line | last_ky) ? 0 : ky + 1'b1;
          end
        end else mark <= 0;
      end
    end
endmodule
