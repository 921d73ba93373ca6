# SPDX-License-Identifier: Apache-2.0
# For `command`s that need a target: . "$SOURCE/tests/scenarios/agent.sh"; start_agent [OPTION…]
# Sets $agent (its process), $address and $port, and stops it at the end. Its words go to agent.txt.

start_agent() {
  rm -f agent_ready
  mkfifo agent_ready
  case " $* " in
    *" --uart "*) ;;
    *) set -- --listen 127.0.0.1:0 "$@" ;;
  esac
  # As root it would become another user, who cannot reach this folder.
  kenning-agent --state agent_state --allow-root --ready-fd 3 "$@" \
    3>agent_ready 2>>agent.txt </dev/null &
  agent=$!
  trap stop_agent EXIT
  address=
  read -r address <agent_ready || true
  if [ -z "$address" ]; then
    echo "the agent did not start:" >&2
    cat agent.txt >&2
    exit 99
  fi
  port=${address##*:}
}

stop_agent() {
  trap - EXIT
  [ -z "$agent" ] && return
  kill -TERM "$agent" 2>/dev/null || true
  wait "$agent" || true
  agent=
}

# kill_agent: as where the target's power fails, with the processes that it started.
kill_agent() {
  children=
  for status in /proc/[0-9]*/status; do
    grep -qs "^PPid:[[:space:]]*$agent\$" "$status" || continue
    status=${status#/proc/}
    children="$children ${status%/status}"
  done
  trap - EXIT
  kill -KILL "$agent" $children 2>/dev/null || true
  wait "$agent" 2>/dev/null || true
  agent=
}

# until_rounds PID COUNT: waits until a process has waited for something COUNT times, as a host does
# once a round trip, or has ended.
until_rounds() {
  while kill -0 "$1" 2>/dev/null; do
    rounds=$(sed -n 's/^voluntary_ctxt_switches:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null)
    [ "${rounds:-0}" -ge "$2" ] && return 0
    sleep 0.05
  done
}
