package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker: go build -ldflags "-X main.version=v1.2.3".
var version string

// describeBuild is what --version prints: the linked version, or else that of the module, the
// commit that was built, and the Go version and platform.
func describeBuild(linked string, info *debug.BuildInfo) string {
	var module, commit, modified string

	if info != nil {
		module = info.Main.Version

		for _, setting := range info.Settings {
			switch {
			case setting.Key == "vcs.revision":
				commit = setting.Value
			case setting.Key == "vcs.modified" && setting.Value == "true":
				modified = " with local changes"
			}
		}
	}

	return fmt.Sprintf("lockstep %s, commit %s%s, %s %s/%s", cmp.Or(linked, module, "(devel)"),
		cmp.Or(commit, "unknown"), modified, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
