"""Ferrule: `Service type=LoadBalancer` on bare metal gets an address, and the network delivers to it.

The map. Data flows one way:

  sources -> resources (parse, ClusterSnapshot) -> config.resolve -> decide -> render | fsm -> apply -> status, metrics

    __main__.py settings.py version.py       the command; flags and environment -> one frozen Settings per command
    errors.py                                the exception tree, named by who must act; imports nothing

 -- pure: no clock, randomness, files, sockets, processes, logging ---------------------------------------------------
    net/                                     values of the network
        addresses.py coverage.py bgp.py link.py
    resources/                               one frozen struct per kind; raw objects -> structs and problems -> objects
        core.py metallb.py extensions.py kinds.py meta.py secret_text.py classes.py taints.py
        parse.py fields.py rules.py encode.py selectors.py durations.py snapshot.py
        schema.py schema_fields.py schema_rules.py schema_texts.py
    config/                                  Config: references joined, defaults filled, every Problem collected
        model.py resolve.py findings.py wording.py claims.py tokens.py timers.py nodes.py drains.py
        spans.py namespaces.py pools.py reservations.py address_quotas.py
        preferences.py advertisements.py attachment.py communities.py
        peers.py sessions.py passwords.py bfd.py extras.py
        advice.py advice_basis.py advice_pools.py advice_advertisements.py advice_peers.py engines.py
    decide/                                  who gets which address; what one node announces, and why not the rest
        annotations.py intervals.py space.py released.py reserved.py address_quotas.py ledger.py
        requests.py sharing.py admission.py allocation.py convergence.py allocator.py
        eligibility.py reach.py contest.py election.py spreading.py matching.py quotas.py shares.py
        candidates.py weights.py groups.py bgp.py layer2.py announcement.py node_plan.py plan_sum.py withdrawal.py
        failovers.py drain.py allocated.py announced.py outlook.py accepted.py conditions.py sessions.py
    packet/                                  bytes <-> dataclasses (RFC 826, RFC 5227, RFC 4861, rtnetlink)
        ethernet.py arp.py ndp.py netlink.py rtnetlink.py
    render/                                  plan -> views -> templates/*.j2 -> blocks; running and wanted -> commands
        environment.py views.py blocks.py document.py frr.py sessions.py routes.py policies.py router_id.py held.py extras.py
        exabgp.py exabgp_sessions.py exabgp_changes.py
        canonical.py commands.py delta.py ownership.py route_stages.py
        difference.py network_changes.py policy_changes.py session_changes.py
        session_impact.py sent_routes.py preview.py                              what a difference does, said beforehand
        router_config.py router_views.py router_permits.py                                  the router on the other side
    fsm/                                     state machines and codecs: (state, event, now) -> (state, actions)
        responder.py arp_answers.py ndp_answers.py gratuitous.py interfaces.py tally.py     what goes over the wire
        orders.py holdings.py phases.py inquiry.py contests.py pacing.py                    the responder's addresses
        liveness.py membership.py heartbeat.py keys.py peers.py tenure.py asking.py         nodes; the speaker's addresses
        vty.py exabgp_api.py responder_api.py supervisor_api.py supervision.py                            daemons and companions
        bgp_sessions.py session_diagnosis.py                                                sessions of daemons, and why not
        leadership.py drain.py                                                              which controller leads; a node's drain
        damping.py                                                                          prefixes that come and go
        outbox.py letters.py                                                                what goes to the API server next

 -- I/O: thin, typed, no decisions -----------------------------------------------------------------------------------
    sources/                                 Source (watch) and Sink (write)
        interface.py
    sources/kube/                            the API server: lists and watches in, statuses and events out
        access.py transport.py api.py witness.py lease.py
        paths.py lines.py decode.py backoff.py patience.py watching.py source.py
        listeners.py outlet.py slices.py fetching.py secret_names.py refusals.py
        sink.py writer.py work.py delivery.py gate.py verdicts.py
        service_status.py objects.py verdict_writes.py annotations.py ownership.py recording.py naming.py
    sources/manifests/                       a watched folder of YAML, and the state folder
        documents.py lines.py files.py claims.py reader.py
        folder.py notices.py tree.py view.py overlay.py state.py writing.py
    apply/                                   differences to daemons, tables to the responder, frames, links
        frr.py frr_daemon.py frr_extras.py frr_sessions.py bfd_sessions.py ways.py vty.py files.py drift.py
        exabgp.py exabgp_file.py exabgp_api.py exabgp_sessions.py
        layer2.py supervisor.py control.py reconnecting.py
        frames.py groups.py asking.py datagrams.py links.py netlink.py gateways.py kernel_routes.py
    supervise/                               children by pid and start time; the daemons' command lines; what is left behind
        process.py output.py leftovers.py folder_lock.py frr.py farewell.py exabgp.py exabgp_helper.py exabgp_farewell.py
    observe/                                 the table of metrics, JSON log lines, /metrics /healthz /readyz
        metrics.py logs.py http.py
    runtime/                                 the four processes; the only place that knows both sides
        origins.py cluster_origin.py command_origin.py witness.py rivals.py feed.py store.py tolerant_sink.py last_good.py released.py configuration_state.py planning.py offline.py foreseeing.py live_objects.py
        controller.py controller_term.py controller_report.py controller_usage.py controller_conditions.py controller_announcements.py acceptance.py leading.py catching_up.py failover.py draining.py
        speaker_process.py speaker.py speaker_configuration.py speaker_bgp.py bgp_engine.py frr_engine.py frr_extras.py exabgp_engine.py speaker_sessions.py session_watch.py node_routes.py speaker_routes.py speaker_hold.py speaker_report.py speaker_statuses.py
        speaker_layer2.py speaker_surroundings.py speaker_tenures.py speaker_telling.py speaker_counts.py speaker_drain.py
        node_lock.py watched_file.py exclusion_list.py key_file.py
        responder.py holding.py wire.py port.py mesh.py asking.py
        supervisor.py supervisor_pages.py children.py recipes.py presence.py farewell.py exabgp_farewell.py scratch.py
    lab/                                     three nodes, a router, clients: demo, tests and benchmarks stand on it
        namespaces.py layout.py network.py record.py topology.py processes.py router.py endpoint.py
        ruleset.py datapath.py probes.py objects.py steps.py demo.py commands.py
    cli/                                     one small file per command
        main.py arguments.py origin.py go_flags.py without_effect.py
        controller.py speaker.py supervise.py respond.py render.py plan.py plan_report.py printing.py router_config.py routes.py lint.py crds.py failover.py drain.py arping.py lab.py

Imports go down only: cli > lab > runtime > sources | apply | supervise | observe > render | fsm > decide > config >
resources | packet > net > errors. Names on one step do not import each other; import-linter checks it.
"""
