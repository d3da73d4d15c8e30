// Keccak-256 as Ethereum has it: the Keccak team's padding, before FIPS 202 changed it. Browsers have no such hash.

const MASK = (1n << 64n) - 1n;
const RATE = 136; // bytes
const rotated = (lane, by) => ((lane << by) | (lane >> (64n - by))) & MASK;

function permute(lanes) {
  let constant = 1;
  for (let round = 0; round < 24; round++) {
    const columns = [0, 1, 2, 3, 4].map((x) => lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20]);
    for (let at = 0; at < 25; at++) lanes[at] ^= columns[(at + 4) % 5] ^ rotated(columns[(at + 1) % 5], 1n);
    let [x, y] = [1, 0];
    let carried = lanes[1];
    for (let step = 0; step < 24; step++) {
      [x, y] = [y, (2 * x + 3 * y) % 5];
      [carried, lanes[x + 5 * y]] = [lanes[x + 5 * y], rotated(carried, BigInt((((step + 1) * (step + 2)) / 2) % 64))];
    }
    for (let row = 0; row < 25; row += 5) {
      const old = lanes.slice(row, row + 5);
      for (let column = 0; column < 5; column++) lanes[row + column] = old[column] ^ (~old[(column + 1) % 5] & MASK & old[(column + 2) % 5]);
    }
    for (let bit = 0; bit < 7; bit++) {
      constant = ((constant << 1) ^ ((constant >> 7) * 0x71)) % 256;
      if (constant & 2) lanes[0] ^= 1n << ((1n << BigInt(bit)) - 1n);
    }
  }
}

// The 32 bytes of the hash of some bytes.
export function keccak256(bytes) {
  const padded = new Uint8Array((Math.floor(bytes.length / RATE) + 1) * RATE);
  padded.set(bytes);
  padded[bytes.length] ^= 0x01;
  padded[padded.length - 1] ^= 0x80;
  const lanes = Array(25).fill(0n);
  const view = new DataView(padded.buffer);
  for (let block = 0; block < padded.length; block += RATE) {
    for (let lane = 0; lane < RATE / 8; lane++) lanes[lane] ^= view.getBigUint64(block + 8 * lane, true);
    permute(lanes);
  }
  const hash = new DataView(new ArrayBuffer(32));
  for (let lane = 0; lane < 4; lane++) hash.setBigUint64(8 * lane, lanes[lane], true);
  return new Uint8Array(hash.buffer);
}
