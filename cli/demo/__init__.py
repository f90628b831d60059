"""`usersync demo`: the main job end to end, against simulators on this machine."""
