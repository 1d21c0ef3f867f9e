// A Filebeat with all its inputs that are free: Elastic's own program, from its Go module.
//
// Elastic's packages are not in a registry of packages; the module is. What it replaces in its own go.mod is
// replaced here too, for Go does not take that over from a module that is required.
package main

import (
	"os"

	"github.com/elastic/beats/v7/filebeat/cmd"
	inputs "github.com/elastic/beats/v7/filebeat/input/default-inputs"
)

func main() {
	if err := cmd.Filebeat(inputs.Init, cmd.FilebeatSettings()).Execute(); err != nil {
		os.Exit(1)
	}
}
