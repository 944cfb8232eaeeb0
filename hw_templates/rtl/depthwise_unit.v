// Depthwise convolution unit (FINN: VVAU with SIMD = 1): every channel has POSITIONS weights of its own, for the
// POSITIONS pixels of a window; PE products per cycle.
//
// CHANNELS     channels
// POSITIONS    pixels of a window
// PE           channels per word; a pixel comes in WORDS = CHANNELS / PE words, a window pixel by pixel
// WEIGHT_BITS, IN_BITS, IN_SIGNED, USE_DSP   as dot_product
// ACC_BITS, OUT_BITS, OUT_SIGNED, WORD_BITS  as activation
// MEMORY       of the weights, as weight_memory; load and pass are its load stream
// WEIGHTS      memory file: a word of PE weights per step, (position, word), channel 0 in the low bits
// ROWS         memory file of activation
//
// Schedule: a word per cycle, POSITIONS * WORDS of them a window. The sums of all channels wait in a memory; with
// the words of the last pixel they leave. Windows follow without a gap. A word of the last pixel that comes in
// cycle t shows its word in cycle t + 3 + A: fetch, product, accumulate, activation (A).
// Handshake: the whole unit stands still while a finished word is not taken.
module depthwise_unit #(
  parameter CHANNELS = 4,
  parameter POSITIONS = 9,
  parameter PE = 1,
  parameter WEIGHT_BITS = 4,
  parameter IN_BITS = 4,
  parameter IN_SIGNED = 0,
  parameter ACC_BITS = 16,
  parameter OUT_BITS = 4,
  parameter OUT_SIGNED = 0,
  parameter WORD_BITS = 4,
  parameter USE_DSP = "no",
  parameter MEMORY = "block",
  parameter WEIGHTS = "weights.hex",
  parameter ROWS = "rows.hex"
) (
  input clk,
  input rst,
  input [PE*IN_BITS-1:0] in_data,
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
  localparam WORDS = CHANNELS / PE, STEPS = POSITIONS * WORDS;
  localparam POPCOUNT = WEIGHT_BITS == 1 && IN_BITS == 1;
  localparam STEP_BITS = (STEPS > 1) ? $clog2(STEPS) : 1;
  localparam POSITION_BITS = (POSITIONS > 1) ? $clog2(POSITIONS) : 1;
  localparam WORD_AT_BITS = (WORDS > 1) ? $clog2(WORDS) : 1;

  wire en = ~out_valid | out_ready;
  assign in_ready = en;
  wire go = en & in_valid;

  // front: which weights
  reg [STEP_BITS-1:0] step;
  reg [PE*IN_BITS-1:0] x;
  wire [PE*WEIGHT_BITS-1:0] w;
  weight_memory #(
    .WIDTH(PE * WEIGHT_BITS), .DEPTH(STEPS), .MEMORY(MEMORY), .FILE(WEIGHTS)
  ) weights (
    .clk(clk), .rst(rst), .load(load), .load_ready(load_ready), .pass(pass), .pass_ready(pass_ready),
    .en(en), .address(step), .word(w));
  always @(posedge clk) begin
    if (en) x <= in_data;
    if (rst) step <= 0;
    else if (go) step <= (step == STEPS - 1) ? 0 : step + 1'b1;
  end

  // back: products arrive in order, so their place in the window is counted again
  reg [1:0] moving;  // words on their way
  wire arrives = moving[1];
  reg [POSITION_BITS-1:0] position;
  reg [WORD_AT_BITS-1:0] at;
  wire last_word = at == WORDS - 1, last_position = position == POSITIONS - 1;
  reg finished;      // the sums are those of a whole window
  always @(posedge clk)
    if (rst) begin
      moving <= 0;
      position <= 0;
      at <= 0;
      finished <= 1'b0;
    end else if (en) begin
      moving <= {moving[0], go};
      if (arrives) begin
        at <= last_word ? 0 : at + 1'b1;
        if (last_word) position <= last_position ? 0 : position + 1'b1;
      end
      finished <= arrives & last_position;
    end

  (* ram_style = "distributed" *) reg [PE*ACC_BITS-1:0] partial [0:WORDS-1];
  wire [PE*ACC_BITS-1:0] so_far = partial[at];
  wire [PE*ACC_BITS-1:0] now;
  reg [PE*ACC_BITS-1:0] sums;
  always @(posedge clk)
    if (en & arrives) begin
      partial[at] <= now;
      sums <= now;
    end

  genvar p;
  generate
    for (p = 0; p < PE; p = p + 1) begin : pe
      wire [ACC_BITS-1:0] dot;
      dot_product #(
        .SIMD(1), .WEIGHT_BITS(WEIGHT_BITS), .IN_BITS(IN_BITS), .IN_SIGNED(IN_SIGNED),
        .SUM_BITS(ACC_BITS), .USE_DSP(USE_DSP)
      ) product (
        .clk(clk), .en(en), .w(w[p*WEIGHT_BITS +: WEIGHT_BITS]), .x(x[p*IN_BITS +: IN_BITS]),
        .sum(dot));
      wire [ACC_BITS-1:0] sum = (position == 0) ? {ACC_BITS{1'b0}} : so_far[p*ACC_BITS +: ACC_BITS];
      assign now[p*ACC_BITS +: ACC_BITS] = sum + dot;
    end
  endgenerate

  activation #(
    .PE(PE), .ACC_BITS(ACC_BITS), .POPCOUNT(POPCOUNT), .OUT_BITS(OUT_BITS), .OUT_SIGNED(OUT_SIGNED),
    .WORD_BITS(WORD_BITS),
    .WORDS(WORDS), .ROWS(ROWS)
  ) finish (
    .clk(clk), .rst(rst), .en(en), .in_valid(finished), .sums(sums),
    .out_valid(out_valid), .out_data(out_data));
endmodule
