# Stand-ins of the tools of Neo4j 5, by the names and arguments that the shipped procedure uses.
neo4j-admin() {
  [ "$1 $2 $3" = "database load neo4j" ] && [ "$5" = "--overwrite-destination=true" ] || return 64
  mkdir -p /data/databases/neo4j
  cp "${4#--from-path=}/neo4j.dump" /data/databases/neo4j/store.json
}
neo4j() {
  case "$1" in
    start) python3 /tools/neo4j.py & ;;
    stop) kill %1 ;;
  esac
}
cypher-shell() {
  python3 - "$4" "${@: -1}" <<'PY'
import base64, json, sys, urllib.request
ask = urllib.request.Request("http://127.0.0.1:7474/db/neo4j/tx/commit",
    json.dumps({"statements": [{"statement": sys.argv[2]}]}).encode(),
    {"Authorization": "Basic " + base64.b64encode(f"neo4j:{sys.argv[1]}".encode()).decode()})
print("n"); print(json.load(urllib.request.urlopen(ask, timeout=5))["results"][0]["data"][0]["row"][0])
PY
}
