package main

import (
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersionCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show which build this is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				info = &debug.BuildInfo{}
			}
			return show(cmd.OutOrStdout(), c.output, versionRecord(info))
		},
	}
}

func versionRecord(info *debug.BuildInfo) record {
	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	return record{
		{"version", buildVersion()},
		{"commit", settings["vcs.revision"]},
		{"commit_time", settings["vcs.time"]},
		{"modified", settings["vcs.modified"] == "true"},
		{"go", info.GoVersion},
		{"platform", settings["GOOS"] + "/" + settings["GOARCH"]},
	}
}
