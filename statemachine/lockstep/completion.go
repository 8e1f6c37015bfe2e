package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/posener/complete"
	"github.com/willabides/kongplete"
)

// completionCommand is lockstep completion.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// completionScripts have the shell run the command, with the line so far in COMP_LINE. Bash and zsh
// fall back to file names.
var completionScripts = map[string]string{
	"bash": "complete -o default -C %s lockstep",
	"zsh": `(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
autoload -Uz bashcompinit && bashcompinit
complete -o default -C %s lockstep`,
	"fish": `function __complete_lockstep
    set -lx COMP_LINE (commandline -cp)
    test -z (commandline -ct); and set COMP_LINE "$COMP_LINE "
    %s
end
complete -f -c lockstep -a "(__complete_lockstep)"`,
}

// Run prints the script, with the path of the command that runs.
func (c *completionCommand) Run(s *session) error {
	path, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the path of this command: %w", err)
	}

	s.say("%s", completionScript(c.Shell, path))

	return nil
}

// completionScript has a shell complete lockstep by running the command at path.
func completionScript(shell, path string) string {
	path = quoted(path)
	if shell != "fish" { // complete -C takes a command line, as one word
		path = quoted(path)
	}

	return fmt.Sprintf(completionScripts[shell], path)
}

var plain = regexp.MustCompile(`^[\w./+@:-]+$`)

// quoted is a text as one word of a shell.
func quoted(text string) string {
	if plain.MatchString(text) {
		return text
	}

	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// completeLine answers a shell that completes a line, and exits; otherwise it does nothing.
func completeLine(parser *kong.Kong) {
	kongplete.Complete(parser, kongplete.WithPredictor("folder", complete.PredictDirs("*")))
}
