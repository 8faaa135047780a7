// Exercises the 128- and 256-bit integers of as-bignum and prints what they compute.
import { u128, u256 } from "as-bignum/assembly";

console.log("30! = " + factorial(30).toString());
console.log("fib(180) = " + fibonacci(180).toString());
console.log("2^256 - 1 = 0x" + u256.Max.toString(16));
console.log("isqrt(10^36) = " + root(u128.fromString("1000000000000000000000000000000000000")).toString());
console.log("gcd = " + gcd(factorial(25), fibonacci(120)).toString());

function factorial(n: i32): u128 {
  let product = u128.One;
  for (let i = 2; i <= n; i++) product = product * u128.from(i);
  return product;
}

function fibonacci(n: i32): u128 {
  let a = u128.Zero;
  let b = u128.One;
  for (let i = 0; i < n; i++) {
    const next = a + b;
    a = b;
    b = next;
  }
  return a;
}

/** Integer square root by Newton's method. */
function root(n: u128): u128 {
  let guess = n;
  let next = (guess + u128.One) >> 1;
  while (next < guess) {
    guess = next;
    next = (guess + n / guess) >> 1;
  }
  return guess;
}

function gcd(a: u128, b: u128): u128 {
  while (!b.isZero()) {
    const rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}
