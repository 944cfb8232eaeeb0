// Sum of N terms of BITS bits, four at a time, with a register behind every level.
//
// N, BITS  terms
// SIGNED   1: two's complement
//
// The sum of the terms of cycle t is there in cycle t + LEVELS, LEVELS = ceil(log4 N) = ($clog2(N) + 1) / 2;
// nothing moves while en is 0.
module adder_tree #(
  parameter N = 4,
  parameter BITS = 3,
  parameter SIGNED = 0
) (
  input clk,
  input en,
  input [N*BITS-1:0] terms,
  output [BITS+$clog2(N)-1:0] sum
);
  generate
    if (N == 1) begin : leaf
      assign sum = terms;
    end else begin : level
      localparam M = (N + 3) / 4;
      localparam GROWN = BITS + ((N > 2) ? 2 : 1);
      wire [4*M*BITS-1:0] padded = terms;
      reg [M*GROWN-1:0] partial;
      genvar m;
      for (m = 0; m < M; m = m + 1) begin : add
        wire [BITS-1:0] a = padded[(4*m+0)*BITS +: BITS];
        wire [BITS-1:0] b = padded[(4*m+1)*BITS +: BITS];
        wire [BITS-1:0] c = padded[(4*m+2)*BITS +: BITS];
        wire [BITS-1:0] d = padded[(4*m+3)*BITS +: BITS];
        wire [GROWN-1:0] wide_a = {{(GROWN-BITS){(SIGNED != 0) & a[BITS-1]}}, a};
        wire [GROWN-1:0] wide_b = {{(GROWN-BITS){(SIGNED != 0) & b[BITS-1]}}, b};
        wire [GROWN-1:0] wide_c = {{(GROWN-BITS){(SIGNED != 0) & c[BITS-1]}}, c};
        wire [GROWN-1:0] wide_d = {{(GROWN-BITS){(SIGNED != 0) & d[BITS-1]}}, d};
        always @(posedge clk) if (en) partial[m*GROWN +: GROWN] <= (wide_a + wide_b) + (wide_c + wide_d);
      end
      adder_tree #(.N(M), .BITS(GROWN), .SIGNED(SIGNED)) rest (
        .clk(clk), .en(en), .terms(partial), .sum(sum));
    end
  endgenerate
endmodule
