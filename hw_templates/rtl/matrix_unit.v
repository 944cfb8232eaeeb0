// Dense matrix-vector-threshold unit (FINN: MVAU): products of an MH x MW matrix with one vector after the
// other, PE x SIMD products per cycle.
//
// MH, MW       matrix
// PE, SIMD     rows and columns per step; NF = MH / PE passes of SF = MW / SIMD steps
// WEIGHT_BITS, IN_BITS, IN_SIGNED, USE_DSP   as dot_product
// ACC_BITS, OUT_BITS, OUT_SIGNED, WORD_BITS  as activation
// MEMORY       of the weights, as weight_memory; load and pass are its load stream
// WEIGHTS      memory file: a word of PE * SIMD weights per step, (pass, step), row 0 column 0 in the low bits
// ROWS         memory file of activation
//
// Schedule: a step per cycle, NF * SF of them a vector. The vector is read in the first pass, a word of SIMD
// elements per step, and kept for the others; every pass ends with a word of PE elements. Vectors follow
// without a gap. A pass whose last step is in cycle t shows its word in cycle t + 3 + LEVELS + A: fetch,
// dot_product (1 + LEVELS), accumulate, activation (A).
// Handshake: the whole unit stands still while a finished word is not taken.
module matrix_unit #(
  parameter MH = 4,
  parameter MW = 4,
  parameter PE = 1,
  parameter SIMD = 1,
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
  input [SIMD*IN_BITS-1:0] in_data,
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
  localparam NF = MH / PE, SF = MW / SIMD, STEPS = NF * SF;
  localparam POPCOUNT = WEIGHT_BITS == 1 && IN_BITS == 1;
  localparam TERMS = POPCOUNT ? (SIMD + 5) / 6 : SIMD;
  localparam DELAY = 2 + ($clog2(TERMS) + 1) / 2;  // from a step to its dot product
  localparam STEP_BITS = (STEPS > 1) ? $clog2(STEPS) : 1;
  localparam SF_BITS = (SF > 1) ? $clog2(SF) : 1;

  wire en = ~out_valid | out_ready;

  // front: which word, which weights
  reg first;                    // pass
  reg [SF_BITS-1:0] sf;
  reg [STEP_BITS-1:0] step;
  wire go = en & (~first | in_valid);
  assign in_ready = en & first;
  (* ram_style = "distributed" *) reg [SIMD*IN_BITS-1:0] kept [0:SF-1];
  reg [SIMD*IN_BITS-1:0] x;
  wire [PE*SIMD*WEIGHT_BITS-1:0] w;
  weight_memory #(
    .WIDTH(PE * SIMD * WEIGHT_BITS), .DEPTH(STEPS), .MEMORY(MEMORY), .FILE(WEIGHTS)
  ) weights (
    .clk(clk), .rst(rst), .load(load), .load_ready(load_ready), .pass(pass), .pass_ready(pass_ready),
    .en(en), .address(step), .word(w));
  always @(posedge clk) begin
    if (go & first) kept[sf] <= in_data;
    if (en) x <= first ? in_data : kept[sf];
    if (rst) begin
      first <= 1'b1;
      sf <= 0;
      step <= 0;
    end else if (go) begin
      step <= (step == STEPS - 1) ? 0 : step + 1'b1;
      sf <= (sf == SF - 1) ? 0 : sf + 1'b1;
      if (sf == SF - 1) first <= NF == 1 || step == STEPS - 1;
    end
  end

  // back: steps arrive in order, so their place in a pass is counted again
  reg [DELAY-1:0] moving;       // steps on their way
  wire arrives = moving[DELAY-1];
  reg [SF_BITS-1:0] place;
  reg [PE*ACC_BITS-1:0] sums;
  reg finished;                 // the sums are those of a whole pass
  always @(posedge clk)
    if (rst) begin
      moving <= 0;
      place <= 0;
      finished <= 1'b0;
    end else if (en) begin
      moving <= {moving, go};
      if (arrives) place <= (place == SF - 1) ? 0 : place + 1'b1;
      finished <= arrives & (place == SF - 1);
    end

  genvar p;
  generate
    for (p = 0; p < PE; p = p + 1) begin : pe
      wire [ACC_BITS-1:0] dot;
      dot_product #(
        .SIMD(SIMD), .WEIGHT_BITS(WEIGHT_BITS), .IN_BITS(IN_BITS), .IN_SIGNED(IN_SIGNED),
        .SUM_BITS(ACC_BITS), .USE_DSP(USE_DSP)
      ) product (
        .clk(clk), .en(en), .w(w[p*SIMD*WEIGHT_BITS +: SIMD*WEIGHT_BITS]), .x(x), .sum(dot));
      wire [ACC_BITS-1:0] sum = (place == 0) ? {ACC_BITS{1'b0}} : sums[p*ACC_BITS +: ACC_BITS];
      always @(posedge clk) if (en & arrives) sums[p*ACC_BITS +: ACC_BITS] <= sum + dot;
    end
  endgenerate

  activation #(
    .PE(PE), .ACC_BITS(ACC_BITS), .POPCOUNT(POPCOUNT), .OUT_BITS(OUT_BITS), .OUT_SIGNED(OUT_SIGNED),
    .WORD_BITS(WORD_BITS),
    .WORDS(NF), .ROWS(ROWS)
  ) finish (
    .clk(clk), .rst(rst), .en(en), .in_valid(finished), .sums(sums),
    .out_valid(out_valid), .out_data(out_data));
endmodule
