#!/usr/bin/env bash
# Prints what an image takes, in bytes: `flash=N ram=N stack=N`.
#
#   size.sh [ELF]
#
# From `readelf -SW`. Flash: what the loader programs, that is .rodata.wifi, .rodata (and its app
# descriptor), .text, .rwtext (code that runs from RAM), .rwtext.wifi, .trap, .data, .data.wifi and
# .rtc_fast.text/.data. RAM: .trap, .rwtext*, .data*, .bss and .noinit (the heaps lie in .bss and
# .dram2_uninit). `.stack` is all the RAM that is left, so it is told beside. Not counted: .text_gap and other
# NOBITS sections that only keep addresses free.
set -euo pipefail
elf=${1:-$(dirname "$0")/target/riscv32imac-unknown-none-elf/release/esp32c6}
[[ -r $elf ]] || { echo "size.sh: cannot read \`$elf\`; build it first" >&2; exit 66; }
readelf -SW "$elf" | sed -n 's/^ *\[ *[0-9]*\] //p' | awk '
  function hex(text,  value, i) {
    value = 0
    for (i = 1; i <= length(text); i++)
      value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
    return value
  }
  $7 !~ /A/ { next }
  {
    bytes = hex($5); address = hex($3); ram = address >= hex("40800000") && address < hex("40880000")
    if ($1 == ".stack") stack = bytes
    else if ($2 == "PROGBITS" || $2 == "INIT_ARRAY") { flash += bytes; if (ram) held += bytes }
    else if (ram && $1 !~ /gap|dummy/) held += bytes
  }
  END { printf "flash=%d ram=%d stack=%d\n", flash, held, stack }'
