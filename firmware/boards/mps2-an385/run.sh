#!/usr/bin/env bash
# Starts one node in QEMU. This process becomes QEMU, so whoever kills it kills the node.
#
#   run.sh --mqtt ADDR --credentials FILE --flash FILE [options]
#
#   --mqtt ADDR          the broker, HOST:PORT; HOST is an IPv4 address or `localhost`
#   --credentials FILE   lines of `SITE/NODE SECRET`, as `miaopu node add` prints them
#   --flash FILE         the node's flash; made if it is not there, and never for two nodes at once
#   --qmp SOCKET         QEMU's control socket; `qom-set` with path /machine/peripheral/t0, property
#                        temperature and value 38000 makes it 38 °C
#   --node SITE/NODE     which line of the credentials; the first one if not given
#   --interval-ms N      time between two samples (5000)
#   --temperature-mc N   what the TMP105 shows at first, in thousandths of a degree (21500)
#   --tmp105 POSITION    where the TMP105 hangs (canopy)
#   --simulated POSITION where the simulated SHT4x, SCD4x and BH1750 hang (bench); `none`: no such
#   --modbus SOCKET      a Modbus soil probe listens there (modbus.py); it hangs at `bed`
#   --image ELF          run this image and build nothing but, where it is missing, the boot loader
#   --loader ELF         the boot loader (that of the board's own build)
#   --gateway ADDR       one more gateway, for when the broker does not answer; up to three times
#   --ca FILE            speak TLS: the authority of the gateway, PEM; the image must be one with `tls`
#   --offline-ok         start though nothing answers at ADDR
#
# The image is written into the flash's active slot where the flash is new or another image was given
# the last time; so one that has come by an update stays. That and all else of the flash is image.py's.
#
# Standard output is the ledger (src/ledger.rs), standard error what a person reads.
#
# Exit codes: 64 usage; 65 the image or what the node is told does not fit the flash; 66 a file is missing or cannot be made; 69 QEMU, cargo, the broker or the
# flash or python3 is not available; afterwards QEMU's own: 1 after a panic of the image.
set -euo pipefail

PSRAM_BYTES=$((16 << 20)) # what the machine maps

fail() { # CODE MESSAGE
  echo "run.sh: $2" >&2
  exit "$1"
}

mqtt='' credentials='' flash='' qmp='' node='' interval_ms=5000 temperature_mc=21500
tmp105=canopy simulated=bench modbus='' ca='' image='' loader='' offline_ok='' gateways=()
while (($#)); do
  case $1 in
    --offline-ok) offline_ok=1; shift; continue ;;
    --help | -h) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    --mqtt | --credentials | --flash | --qmp | --node | --interval-ms | --temperature-mc) ;;
    --tmp105 | --simulated | --modbus | --ca | --image | --loader | --gateway) ;;
    *) fail 64 "unknown argument \`$1\`; --help lists them" ;;
  esac
  (($# >= 2)) || fail 64 "$1 needs a value"
  name=${1#--}
  [[ $name != gateway ]] || gateways+=("$2")
  printf -v "${name//-/_}" %s "$2"
  shift 2
done
for name in mqtt credentials flash; do
  [[ -n ${!name} ]] || fail 64 "--$name is missing; --help lists all arguments"
done
[[ $interval_ms =~ ^[0-9]+$ ]] || fail 64 "--interval-ms must be a number, not \`$interval_ms\`"
[[ $temperature_mc =~ ^-?[0-9]+$ ]] ||
  fail 64 "--temperature-mc must be a whole number, not \`$temperature_mc\`"
((${#gateways[@]} <= 3)) || fail 64 "--gateway can be given three times at most"
# The address of a gateway as the guest knows it, who calls the host's own 127.0.0.1 10.0.2.2.
address() { # OPTION HOST:PORT
  [[ $2 =~ ^(localhost|[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+):([0-9]+)$ ]] ||
    fail 64 "$1 must be HOST:PORT with an IPv4 address or localhost, not \`$2\`"
  host=${BASH_REMATCH[1]} port=${BASH_REMATCH[2]}
  case $host in
    localhost | 127.* | 0.0.0.0) host=127.0.0.1 guest=10.0.2.2:$port ;;
    *) guest=$host:$port ;;
  esac
}
all=''
for gateway in "${gateways[@]}"; do
  address --gateway "$gateway"
  all+=,$guest
done
address --mqtt "$mqtt"
all=$guest$all

authority=''
if [[ -n $ca ]]; then
  [[ -r $ca ]] || fail 66 "the authority \`$ca\` cannot be read"
  authority=$(awk '/BEGIN CERTIFICATE/ { is_in = 1; next } /END CERTIFICATE/ { exit } is_in' "$ca" | tr -d '\r\n')
  [[ -n $authority ]] || fail 65 "\`$ca\` holds no certificate (PEM)"
fi

# The node's line of the credentials.
[[ -r $credentials ]] || fail 66 "the credentials file \`$credentials\` cannot be read"
secret=''
while read -r key value _ || [[ -n $key ]]; do
  [[ -z $key || $key == \#* ]] && continue
  [[ -z $node || $node == "$key" ]] || continue
  node=$key secret=$value
  break
done <"$credentials"
[[ -n $secret ]] || fail 66 "\`$credentials\` has no line \`${node:-SITE/NODE} SECRET\`"
[[ $node == */* ]] || fail 66 "\`$credentials\` names \`$node\`, which is not SITE/NODE"

qemu=${QEMU:-qemu-system-arm}
command -v "$qemu" >/dev/null ||
  fail 69 "$qemu is not installed (Debian: apt-get install qemu-system-arm)"

board=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v python3 >/dev/null || fail 69 "python3 is not installed"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$board/target}
[[ $CARGO_TARGET_DIR == /* ]] || CARGO_TARGET_DIR=$PWD/$CARGO_TARGET_DIR
build() { # WHAT PACKAGE
  command -v cargo >/dev/null || fail 69 "cargo is not installed"
  # The current folder decides about toolchain and target, so cargo runs in the board's.
  (cd "$board" && cargo build --release --locked --quiet -p "$2" >&2) || fail 69 "$1 does not build"
}
built=$CARGO_TARGET_DIR/thumbv7m-none-eabi/release
if [[ -z $image ]]; then
  build "the image" mps2-an385
  build "the boot loader" mps2-an385-boot
  image=$built/mps2-an385
fi
if [[ -z $loader ]]; then
  loader=$built/mps2-an385-boot
  [[ -r $loader ]] || build "the boot loader" mps2-an385-boot
fi
for elf in "$image" "$loader"; do
  [[ -r $elf ]] || fail 66 "the image \`$elf\` cannot be read"
done

if [[ -e $flash ]]; then
  size=$(wc -c <"$flash") || fail 66 "the flash \`$flash\` cannot be read"
  ((size == PSRAM_BYTES)) ||
    fail 66 "\`$flash\` is no flash of this image: it has $size bytes, not $PSRAM_BYTES"
else
  "$board/image.py" new "$flash" || fail 66 "the flash \`$flash\` cannot be made"
fi

# The lock lives as long as QEMU, which inherits it: two nodes on one flash would give the same
# sequences.
exec 8<>"$flash" || fail 66 "the flash \`$flash\` cannot be written"
if command -v flock >/dev/null; then
  flock -w 5 8 || fail 69 "another node runs on the flash \`$flash\`"
fi

if [[ -z $offline_ok ]]; then
  (exec 9<>"/dev/tcp/$host/$port") 2>/dev/null || fail 69 "nothing answers at $host:$port"
fi

# Who the node is goes into a page of its flash, by a pipe: the secret is in no argument list.
"$board/image.py" prepare "$flash" "$image" <<END || exit
site=${node%%/*}
node=${node#*/}
secret=$secret
gateways=$all
interval_ms=$interval_ms
${authority:+ca=$authority
}tls=$([[ -n $ca ]] && printf on || printf off)
board.tmp105=$tmp105
board.simulated=$simulated
board.modbus=$([[ -n $modbus ]] && printf bed || printf none)
END

umask 077
scratch=$(mktemp -d) || fail 66 "no temporary directory can be made"

# QEMU's TMP105 starts at 0 °C, a frost that nobody ordered, and takes a temperature over a control
# channel only. So the command waits in a pipe for QEMU, ahead of all that --qmp may bring; a child
# takes the pipe away once QEMU has greeted and so opened it.
mkfifo "$scratch/qmp.in" "$scratch/qmp.out"
exec 7<>"$scratch/qmp.in"
cat >&7 <<END
{"execute": "qmp_capabilities"}
{"execute": "qom-set", "arguments": {"path": "/machine/peripheral/t0", "property": "temperature",
  "value": $temperature_mc}}
END
(
  exec 4<>"$scratch/qmp.out"
  read -r -t 10 _ <&4
  rm -rf "$scratch"
) </dev/null >/dev/null 2>&1 7<&- 8<&- &

# QEMU's options end at a comma, so one in a path is doubled.
comma() { printf %s "${1//,/,,}"; }
arguments=(
  -machine mps2-an385,memory-backend=flash
  -object "memory-backend-file,id=flash,size=$PSRAM_BYTES,mem-path=$(comma "$flash"),share=on"
  -display none -monitor none -serial null
  -semihosting-config enable=on,target=native
  -nic user,id=n0,net=10.0.2.0/24
  -device tmp105,id=t0,address=0x48
  -chardev "pipe,id=first,path=$(comma "$scratch")/qmp" -mon chardev=first,mode=control
  -kernel "$loader"
)
[[ -z $modbus ]] || arguments+=(-chardev "socket,id=rs485,path=$(comma "$modbus")" -serial chardev:rs485)
[[ -z $qmp ]] || arguments+=(-qmp "unix:$(comma "$qmp"),server=on,wait=off")
exec "$qemu" "${arguments[@]}" </dev/null
