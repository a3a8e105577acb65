"""
Ferrule: `Service type=LoadBalancer` on bare metal gets an address, and the network delivers to it.

The map. Data flows one way:

    sources -> resources (parse, ClusterSnapshot) -> config.resolve -> decide -> render | fsm -> apply -> status, metrics

    __main__.py  settings.py  version.py   the command; flags and environment -> one frozen Settings per command
    errors.py                              the exception tree; imports nothing
  pure: no clock, randomness, files, sockets, processes, logging
    net/         addresses.py bgp.py link.py
    resources/   core.py extensions.py kinds.py meta.py metallb.py secret_text.py snapshot.py
    config/      model.py
    decide/      node_plan.py
    packet/
    render/
    fsm/
  I/O: thin, typed, no decisions
    sources/     manifests/
    apply/
    supervise/
    observe/
    runtime/
    lab/
    cli/

Imports go down only: cli > lab > runtime > sources | apply | supervise | observe > render | fsm > decide > config >
resources | packet > net > errors. Names on one step do not import each other; import-linter checks it.
"""
