# apt with one more source, read from the mirror this machine already uses, and kept in a folder of its
# own: nothing below /etc/apt or /var/lib/apt changes, and no other package is ever taken from there.
# shellcheck shell=bash

KEY=/usr/share/keyrings/debian-archive-keyring.gpg

# Debian's archives as apt of this machine has them, "URI SUITE" a line; apt itself says it, in
# whichever of its two formats it was written, and before its lists were ever fetched
debian_archives() {
    # shellcheck disable=SC2016
    apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk '$3 == "main" && $1 ~ /\/debian(-security)?\/?$/ {print $1, $2}' | sort -u
}

debian_mirror() {
    local uri
    uri=$(debian_archives | awk '$1 ~ /\/debian\/?$/ {print $1; exit}')
    [[ -n $uri ]] || die "apt of this machine has no Debian mirror"
    echo "$uri"
}

# suite_as_source FOLDER SUITE: packages of another suite of the same mirror
suite_as_source() {
    local uri
    uri=$(debian_mirror)
    private_folder "$1"
    echo "deb [signed-by=$KEY] $uri $2 main" >"$1/parts/private.list"
}

# sources_as_source FOLDER: the source packages that belong to what this machine installs
sources_as_source() {
    private_folder "$1"
    debian_archives | sed "s|^|deb-src [signed-by=$KEY] |; s|\$| main|" >"$1/parts/private.list"
    [[ -s $1/parts/private.list ]] || die "apt of this machine has no Debian mirror"
}

private_folder() { mkdir -p "$1"/{lists/partial,parts,archives/partial}; }

# private_apt FOLDER COMMAND...: apt-get that sees only those sources
private_apt() {
    private_command apt-get "$@"
}

# private_versions FOLDER SOURCE FIRST: the versions there are, FIRST before the others, then the newest
private_versions() {
    echo "$3"
    private_command apt-cache "$1" madison "$2" | awk -F ' *\\| *' '{print $2}' | grep -Fxv "$3" | sort -uVr
}

# A mirror may be a copy of some day, whose lists call themselves too old by now: they are signed all the same.
private_command() {
    local command=$1 dir=$2
    shift 2
    "$command" -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$dir/parts" \
        -o Dir::State::lists="$dir/lists" -o Dir::Cache::archives="$dir/archives" \
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Acquire::Languages=none \
        -o Acquire::Check-Valid-Until=false -o Acquire::Check-Date=false \
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false -o APT::Sandbox::User=root "$@"
}
