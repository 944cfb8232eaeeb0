// From finished sums to output elements, PE rows at a time; rows come in order, again and again.
//
// PE         sums per word
// ACC_BITS   of a sum: a count of matches where POPCOUNT is 1, else two's complement
// POPCOUNT   1: the sums count matches
// OUT_BITS   of a code: the number of thresholds that the sum reaches. 0: the sum itself is the output,
//            2 * matches - weights where matches are counted
// OUT_SIGNED 1: codes are two's complement, and of the smallest one no threshold is reached
// WORD_BITS  of an output element
// WORDS      words after which the rows repeat
// ROWS       memory file, one word per line, element 0 in the low bits: per row its 2^OUT_BITS - 1 ascending
//            thresholds, or (OUT_BITS = 0) its number of weights, of ACC_BITS + 1 bits each. Not read
//            where sums that are no counts are the output
//
// The word for the sums of cycle t is there in cycle t + 1 (t + 2 where OUT_BITS > 1); nothing moves while en
// is 0.
module activation #(
  parameter PE = 1,
  parameter ACC_BITS = 8,
  parameter POPCOUNT = 0,
  parameter OUT_BITS = 1,
  parameter OUT_SIGNED = 0,
  parameter WORD_BITS = 1,
  parameter WORDS = 1,
  parameter ROWS = "rows.hex"
) (
  input clk,
  input rst,
  input en,
  input in_valid,
  input [PE*ACC_BITS-1:0] sums,
  output reg out_valid,
  output [PE*WORD_BITS-1:0] out_data
);
  localparam ENTRIES = (OUT_BITS == 0) ? 1 : (1 << OUT_BITS) - 1;
  localparam ENTRY_BITS = ACC_BITS + 1;
  localparam ADDRESS_BITS = (WORDS > 1) ? $clog2(WORDS) : 1;

  genvar p;
  generate
    if (OUT_BITS == 0 && !POPCOUNT) begin : plain
      reg [PE*WORD_BITS-1:0] result;
      assign out_data = result;
      always @(posedge clk) begin
        if (en) result <= sums;
        if (rst) out_valid <= 1'b0;
        else if (en) out_valid <= in_valid;
      end
    end else begin : by_row
      // `row` holds the entries of the word that comes next, so it is read ahead
      wire [PE*ENTRIES*ENTRY_BITS-1:0] row;
      reg [ADDRESS_BITS-1:0] at;
      wire [ADDRESS_BITS-1:0] following = (at == WORDS - 1) ? 0 : at + 1'b1;
      wire [ADDRESS_BITS-1:0] ahead = in_valid ? following : at;
      constant_memory #(
        .WIDTH(PE * ENTRIES * ENTRY_BITS), .DEPTH(WORDS), .MEMORY("distributed"), .FILE(ROWS)
      ) rows (.clk(clk), .en(en), .address(ahead), .word(row));
      always @(posedge clk)
        if (rst) at <= 0;
        else if (en) at <= ahead;

      reg valid;  // of the ladders
      wire finished = (OUT_BITS > 1) ? valid : in_valid;
      always @(posedge clk)
        if (rst) begin
          valid <= 1'b0;
          out_valid <= 1'b0;
        end else if (en) begin
          valid <= in_valid;
          out_valid <= finished;
        end

      for (p = 0; p < PE; p = p + 1) begin : element
        activation_lane #(
          .ACC_BITS(ACC_BITS), .POPCOUNT(POPCOUNT), .OUT_BITS(OUT_BITS), .OUT_SIGNED(OUT_SIGNED),
          .WORD_BITS(WORD_BITS), .ENTRIES(ENTRIES)
        ) lane (
          .clk(clk), .en(en), .sum(sums[p*ACC_BITS +: ACC_BITS]),
          .entries(row[p*ENTRIES*ENTRY_BITS +: ENTRIES*ENTRY_BITS]),
          .out_data(out_data[p*WORD_BITS +: WORD_BITS]));
      end
    end
  endgenerate
endmodule
