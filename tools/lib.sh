# Shell functions shared by tools/demo and tools/readme-tour; to be sourced by bash.

started=()  # process ids (or -id: whole process groups) to end at exit

stop_started() {
  local id
  for id in ${started[@]+"${started[@]}"}; do kill -KILL -- "$id" 2> /dev/null || true; done
  started=()
}

# A TCP port of 127.0.0.1 that nobody listens on, below the range that outgoing connections take
# theirs from, so that it is still free when a node comes back to it.
free_port() {
  local port try
  for try in $(seq 100); do
    port=$((20000 + RANDOM % 10000))
    if ! (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; then
      echo "$port"
      return 0
    fi
  done
  echo "no free port after $try tries" >&2
  return 1
}

# until_true SECONDS COMMAND...: repeats the command until it succeeds; 1 after the deadline.
until_true() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" > /dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.02
  done
}

# await_end PID SECONDS: the exit status of a child; 124 and SIGKILL if it takes longer.
await_end() {
  if ! until_true "$2" has_ended "$1"; then
    kill -KILL "$1" 2> /dev/null || true
    wait "$1" 2> /dev/null || true
    return 124
  fi
  wait "$1"
}
has_ended() {
  local state
  state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2> /dev/null) || return 0
  [ "$state" = Z ]
}
