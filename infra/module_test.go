package infra

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// another is the CDK app of a team that puts the construct beside what it has.
const another = `package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"lockstep/infra"
	"lockstep/infra/config"
)

func main() {
	defer jsii.Close()
	c, err := config.Parse([]byte(` + "`" + `{"app":"elsewhere"}` + "`" + `))
	if err != nil {
		panic(err)
	}
	app := awscdk.NewApp(nil)
	stack := awscdk.NewStack(app, jsii.String("team"), nil)
	infra.NewLockstep(stack, "Lockstep", infra.Props{Config: c, Code: infra.CodeIn("code")})
	app.Synth(nil)
}
`

// TestNewLockstep_InAnotherModule: nothing of the construct hangs on the folder or the module that
// it is run in.
func TestNewLockstep_InAnotherModule(t *testing.T) {
	if testing.Short() {
		t.Skip("it links another CDK app")
	}

	dir := t.TempDir()

	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}

	if _, err := fakeCode(filepath.Join(dir, "code")); err != nil {
		t.Fatal(err)
	}

	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}

	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}

	module := strings.Replace(string(mod), "module lockstep\n", "module elsewhere\n", 1) +
		"\nrequire lockstep v0.0.0\n\nreplace lockstep => " + root + "\n"
	for name, content := range map[string]string{"go.mod": module, "go.sum": string(sum),
		"main.go": another} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}

	run := func(name string, args ...string) string {
		command := exec.Command(name, args...)
		command.Dir = dir
		command.Env = append(os.Environ(), "CDK_OUTDIR="+filepath.Join(dir, "out"), "GOFLAGS=-mod=mod")

		output, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, output)
		}

		return string(output)
	}
	// What Build compiles is found from there too.
	if found := run("go", "list", "lockstep/functions/begin",
		"lockstep/infra/provision"); !strings.Contains(found, "lockstep/functions/begin") {
		t.Errorf("found %s", found)
	}

	run("go", "run", ".")

	if _, err := os.Stat(filepath.Join(dir, "out", "team.template.json")); err != nil {
		t.Error(err)
	}
}
