module blink (input clk, input [3:0] in, output [3:0] led);
  reg [21:0] count = 0;
  reg [3:0] held = 0;
  always @(posedge clk) begin
    count <= count + in * in;
    if (count[20]) held <= held ^ in;
  end
  assign led = held ^ count[21:18];
endmodule
