// Elastic's Filebeat, from its Go module: Elastic's packages are in no registry of packages.
//
// What the module replaces in its own go.mod is replaced in ours too, for Go does not take that over.
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
