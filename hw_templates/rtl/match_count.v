// Number of equal bits of two words, without a register.
//
// N  bits
//
// Six matches are counted in one level of LUT6, whose inputs are w and x of a bit merged by synthesis where it
// can; then counts are added in pairs.
module match_count #(
  parameter N = 4
) (
  input [N-1:0] w,
  input [N-1:0] x,
  output [$clog2(N+1)-1:0] count
);
  generate
    if (N <= 6) begin : six
      wire [5:0] match = ~(w ^ x) & {N{1'b1}};
      // truth tables of the upper bits of the number of ones among six bits
      wire [63:0] fours = 64'hfee8e880e8808000, twos = 64'h8117177e177e7ee8;
      wire [2:0] ones = {fours[match], twos[match], ^match};
      assign count = ones;
    end else begin : halves
      localparam LOW = (N / 2 + 5) / 6 * 6;
      wire [$clog2(LOW+1)-1:0] a;
      wire [$clog2(N-LOW+1)-1:0] b;
      match_count #(.N(LOW)) low (.w(w[LOW-1:0]), .x(x[LOW-1:0]), .count(a));
      match_count #(.N(N - LOW)) high (.w(w[N-1:LOW]), .x(x[N-1:LOW]), .count(b));
      assign count = a + b;
    end
  endgenerate
endmodule
