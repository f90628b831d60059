"""The steps of a run, each a Prefect task inside a flow run and a plain function outside of one."""
