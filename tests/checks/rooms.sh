# A room includes only itself and rooms before it; programs and examples only public headers.
. tests/checks/common
rooms="base poller transport map dispatcher chat net compress tls resolve"
allowed=""
for room in $rooms; do
	allowed="$allowed $room"
	bad=""
	for file in src/"$room"/*.[ch]; do
		for include in $(sed -n 's/^#include "\(.*\)"/\1/p' "$file"); do
			case $include in
			../*) from=${include#../} from=${from%%/*} ;;
			*) from=$room ;;
			esac
			case " $allowed " in *" $from "*) ;; *) bad="$bad $file:$include" ;; esac
		done
	done
	[ -z "$bad" ] && echo "ok room $room" || echo "not ok room $room$bad"
done
bad=$(grep -lE '#include "(\.\./)*src/' programs/*.[ch] programs/*/*.[ch] examples/*.c)
[ -z "$bad" ] && echo "ok programs stand on public headers" || echo "not ok $bad"
