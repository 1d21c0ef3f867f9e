// What `docker compose config` does before anything is run: load a compose file with Compose's own loader,
// fill in its variables, check it, and print it. It exits with 1 and says why where the file is refused.
//
// Compose itself is a plugin that cannot be installed as a Go module; its loader can.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: compose-config FILE")
		os.Exit(2)
	}
	options, err := cli.NewProjectOptions(os.Args[1:2], cli.WithProfiles([]string{"*"}), cli.WithOsEnv)
	if err != nil {
		fail(err)
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		fail(err)
	}
	printed, err := project.MarshalYAML()
	if err != nil {
		fail(err)
	}
	os.Stdout.Write(printed)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
