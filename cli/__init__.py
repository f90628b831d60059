"""The command line: `usersync check | plan | show | apply | sync | runs | results | schema | demo`."""
