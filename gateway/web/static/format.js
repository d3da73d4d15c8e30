// How scripts format names and amounts.

// A name of somebody: an address is known by its ends.
export const shortened = (name) => (name.startsWith("0x") ? `${name.slice(0, 6)}…${name.slice(-4)}` : name);

// An amount without the zeros at its end beyond two decimals: nothing of it is rounded.
export const trimZeros = (amount) => amount.replace(/(\.\d\d\d*?)0+$/, "$1");
