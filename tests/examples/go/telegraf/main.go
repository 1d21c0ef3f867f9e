// A Telegraf with just the plugins that examples/telegraf.conf names.
//
// Telegraf's own program holds every plugin and takes a quarter of an hour to build; this one holds its
// agent, its configuration and those four plugins, so the example is tried with the real thing in minutes.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/influxdata/telegraf/agent"
	"github.com/influxdata/telegraf/config"
	"github.com/influxdata/telegraf/logger"

	_ "github.com/influxdata/telegraf/plugins/inputs/cgroup"
	_ "github.com/influxdata/telegraf/plugins/inputs/tail"
	_ "github.com/influxdata/telegraf/plugins/outputs/kafka"
	_ "github.com/influxdata/telegraf/plugins/parsers/grok"
	_ "github.com/influxdata/telegraf/plugins/serializers/influx"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: telegraf CONFIG")
	}
	settings := config.NewConfig()
	if err := settings.LoadConfig(os.Args[1]); err != nil {
		log.Fatal(err)
	}
	if err := logger.SetupLogging(&logger.Config{}); err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := agent.NewAgent(settings).Run(ctx); err != nil {
		log.Fatal(err)
	}
}
