# shellcheck shell=bash
# A small network of real `iog` processes on loopback, for scripts that source this file: they set IOG (the binary to
# use next), work in an empty folder, and end with `stop_all`. It asserts nothing about what is measured.
#
# Each network has addresses of its own, so that it can be started again where its signed registry says it is, beside
# others: NET.1:8440 is the center, NET.2:8443 and NET.3:8443 are gateways. All of 127.0.0.0/8 is loopback on Linux.

NET="${NET:-127.7.24}"
declare -A SERVERS=()

quiet() { "$IOG" "$@" --json >/dev/null; }

# Keys, genesis and network file of TRUST_DOMAIN, with k = 1. The center is not started.
found() {
    local trust_domain=$1 name
    mkdir -p keys homes
    for name in root alice bob publisher; do quiet key new "keys/$name.key"; done
    quiet center init --trust-domain "$trust_domain" --k 1 --root keys/root.key.pub --name "$NET.1" \
        --listen "$NET.1:8440" --auditor alice@university=keys/alice.key.pub --auditor bob@exchange=keys/bob.key.pub \
        --publisher iog@iog-project=keys/publisher.key.pub
    quiet root sign center/genesis.unsigned.json --key keys/root.key --out center/genesis.json --yes
    quiet center network
}

# Starts a server under NAME and waits until it says where it listens.
serve() {
    local name=$1 tries=0
    shift
    "$IOG" "$@" --json >"serving-$name" 2>"said-$name" &
    SERVERS[$name]=$!
    until [ -s "serving-$name" ]; do
        tries=$((tries + 1))
        if [ "$tries" -gt 300 ] || ! kill -0 "${SERVERS[$name]}" 2>/dev/null; then
            echo "\`$name\` did not start: $(cat "said-$name")" >&2
            return 1
        fi
        sleep 0.1
    done
}

serve_center() { serve center center serve; }
serve_gateway() { serve "$1" gateway serve --config "homes/$1/gateway.toml"; }

# Sends SIGNAL to the server NAME (TERM: it ends by itself) and waits for its end.
stop() {
    local name=$1 signal=${2:-TERM}
    kill "-$signal" "${SERVERS[$name]}"
    # The shell has its own words about a killed child.
    wait "${SERVERS[$name]}" 2>/dev/null || [ "$signal" = KILL ]
    unset "SERVERS[$name]"
    rm -f "serving-$name" "said-$name"
}

stop_all() {
    local name
    for name in "${!SERVERS[@]}"; do stop "$name" "${1:-TERM}" || true; done
}

# Invites, enrolls and admits DOMAIN; with an ASN and a HOST it has a gateway at HOST:8443.
join_network() {
    local domain=$1 asn=${2:-} host=${3:-localhost} token key
    token=$("$IOG" center invite --domain "$domain" --organisation "$domain-org" --name "$host" \
        ${asn:+--asn "$asn"} --json | jq -r .token)
    key=$("$IOG" enroll --home "homes/$domain" --token "$token" ${asn:+--endpoint "$host:8443"} --json | jq -r .caller_key)
    quiet root admit "$domain" --key keys/root.key --caller-key "$key" --network network.json
}

# Submits a component with its manifest and has both auditors approve it; prints its digest.
publish() {
    local digest auditor
    digest=$("$IOG" module submit "$1" --manifest "$2" --key keys/publisher.key --network network.json --json | jq -r .digest)
    for auditor in alice bob; do
        quiet review approve "$digest" --key "keys/$auditor.key" --network network.json
    done
    echo "$digest"
}

# The configuration of DOMAIN's gateway at HOST, in its home; further tables come from standard input.
configure() {
    local domain=$1 host=$2
    {
        printf 'listen = "%s:8443"\n\n[sync]\nregistry_s = 1\n' "$host"
        printf '\n[dataset.border]\nschema = "flow/1"\npath = "flows.csv"\nformat = "csv"\ntimestamp = "seconds"\nclass = "reviewed"\n'
        cat
    } >"homes/$domain/gateway.toml"
    cat >"homes/$domain/flows.csv" <<'END'
start,end,src,dst,proto,src_port,dst_port,packets,bytes,tcp_flags,ingress_as
1000,1001,198.51.100.1,203.0.113.10,17,53,40000,2,3000,0,64510
1002,1003,198.51.100.2,203.0.113.10,17,53,40001,1,1500,0,64510
1004,1005,198.51.100.3,203.0.113.10,6,1234,443,1,60,2,64511
1006,1007,192.0.2.7,203.0.113.10,6,1235,443,1,60,2,0
1008,1009,198.51.100.1,203.0.113.99,6,1236,443,9,900,2,64511
END
}

# Waits until the catalog shows COUNT services to DOMAIN.
wait_for_services() {
    local domain=$1 count=$2 tries=0
    until [ "$("$IOG" catalog search --home "homes/$domain" --json | jq '.services | length')" -ge "$count" ]; do
        tries=$((tries + 1))
        if [ "$tries" -gt 100 ]; then echo "the gateways did not publish $count services" >&2; return 1; fi
        sleep 0.2
    done
}
