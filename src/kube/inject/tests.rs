//! What is put in, what is left alone, what is refused.

use super::*;

/// A Deployment with these lines in its pod's spec and in its container.
fn app(spec: &str, container: &str) -> String {
    let indented =
        |text: &str, by: &str| text.lines().fold(String::new(), |all, line| all + by + line + "\n");
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: wiki\nspec:\n  template:\n    metadata:\n      \
         labels: {{app: wiki}}\n    spec:\n{}      containers:\n      - name: wiki\n{}",
        indented(spec, "      "),
        indented(container, "        ")
    )
}

const PORT: &str = "ports: [{name: web, containerPort: 8080}]";

fn refusal(text: &str, wishes: &Wishes) -> String {
    inject(text, wishes).map(|injected| injected.yaml).expect_err(text).to_string()
}

#[test]
fn again_changes_nothing_and_another_form_replaces() {
    let probes = format!("{PORT}\nlivenessProbe: {{httpGet: {{path: /healthz, port: web}}}}");
    let service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {app: wiki}, ports: [{port: 8080}]}\n";
    let text = app("terminationGracePeriodSeconds: 5", &probes) + service;
    let wishes = |native| Wishes {
        sidecar: Sidecar { native, ..Sidecar::default() },
        service: Some("s".into()),
        app_pause: 6,
        ..Wishes::default()
    };
    let beside = inject(&text, &wishes(false)).unwrap().yaml;
    assert_eq!(inject(&beside, &wishes(false)).unwrap().yaml, beside);
    let native = inject(&beside, &wishes(true)).unwrap().yaml;
    assert_eq!(inject(&native, &wishes(true)).unwrap().yaml, native);
    let counted = |text: &str, what: &str| text.matches(what).count();
    for (text, grace) in [(&beside, 30), (&native, 36)] {
        assert_eq!(counted(text, "containerPort: 4183"), 1, "probes go through it: {text}");
        assert_eq!(counted(text, "- name: anteroom\n"), 3, "a container, a volume and its mount: {text}");
        assert_eq!(counted(text, "preStop"), 1);
        assert!(text.contains("targetPort: 4180"), "{text}");
        assert!(text.contains(&format!("terminationGracePeriodSeconds: {grace}\n")), "{text}");
        assert!(text.contains("port: 4183"), "{text}");
    }
    assert_eq!((counted(&beside, "restartPolicy"), counted(&native, "restartPolicy: Always")), (0, 1));
    let back = inject(&native, &wishes(false)).unwrap().yaml;
    assert_eq!(counted(&back, "restartPolicy"), 0, "{back}");
}

#[test]
fn every_kind_also_in_a_list_and_nothing_else() {
    let pod = "metadata: {name: p, labels: {app: wiki}}\nspec: {containers: [{name: a, ports: [{containerPort: 80}]}]}\n";
    let other = "apiVersion: v1\nkind: ConfigMap\ndata: {a: b}  # as it is\n---\n";
    let workload = |kind: &str| {
        format!(
            "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: w}}\nspec: {{template: {{{}}}}}\n",
            pod.trim().replace('\n', ", ")
        )
    };
    let list = |inside: &str| {
        let mut items = String::from("apiVersion: v1\nkind: List\nitems:\n");
        for (at, line) in inside.lines().enumerate() {
            items += &format!("{} {line}\n", if at == 0 { "-" } else { " " });
        }
        items
    };
    for text in [
        workload("Deployment"),
        workload("StatefulSet"),
        workload("DaemonSet"),
        format!("apiVersion: v1\nkind: Pod\n{pod}"),
        list(&workload("Deployment")),
    ] {
        let done = inject(&format!("{other}{text}"), &Wishes::default()).unwrap();
        assert!(done.yaml.starts_with(other), "{}", done.yaml);
        assert!(done.yaml.contains("anteroom.dev/injected"), "{}", done.yaml);
        assert!(done.notes.contains("127.0.0.1:80 and nowhere else"), "{}", done.notes);
    }
    let hook = format!(
        "apiVersion: v1\nkind: Pod\n{}---\n{}",
        pod.replace("labels:", "annotations: {helm.sh/hook: test}, labels:"),
        workload("Deployment")
    );
    assert!(inject(&hook, &Wishes::default()).unwrap().notes.contains("Deployment w:"));
}

#[test]
fn what_would_guard_nothing_is_refused() {
    let good = app("", PORT);
    assert!(inject(&good, &Wishes::default()).is_ok());
    let get = |inside: &str| format!("{PORT}\nreadinessProbe: {{httpGet: {{{inside}}}}}");
    for (spec, container, want) in [
        ("hostNetwork: true", PORT, "hostNetwork"),
        ("hostNetwork: yes", PORT, "hostNetwork"),
        ("os: {name: windows}", PORT, "Windows"),
        ("nodeSelector: {kubernetes.io/os: windows}", PORT, "Windows"),
        ("nodeSelector: {beta.kubernetes.io/os: windows}", PORT, "Windows"),
        (
            "initContainers: [{name: p, restartPolicy: Always, ports: [{containerPort: 4180}]}]",
            PORT,
            "`p` listens on port 4180",
        ),
        ("volumes: [{name: anteroom, emptyDir: {}}]", PORT, "a volume `anteroom`"),
        ("volumes: &v [{name: a, emptyDir: {}}]", PORT, "`volumes` has a YAML anchor"),
        ("initContainers: [{name: anteroom}]", PORT, "a container `anteroom`"),
        ("<<: {hostNetwork: true}", PORT, "merge key"),
        ("", "image: x", "declares 0 TCP ports"),
        ("", "ports: [{containerPort: 80}, {containerPort: 81}]", "declares 2 TCP ports"),
        ("", "ports: [{containerPort: 80, protocol: UDP}]", "declares 0 TCP ports"),
        ("", "ports: [{containerPort: 4180}]", "listens on port 4180"),
        ("", "ports: [{containerPort: 80}, {containerPort: 4183, protocol: UDP}]", "listens on port 4183"),
        ("", "ports: [{containerPort: 80, name: anteroom-http}]", "a port called anteroom-http"),
        ("", "ports: [{containerPort: 80, hostPort: 80}]", "on the node"),
        ("", "ports: [{containerPort: '80'}]", "no port number"),
        ("", "ports: [{containerPort: 010000}]", "no port number"),
        ("", &format!("{PORT}\nlivenessProbe: {{tcpSocket: {{port: web}}}}"), "tcpSocket probe"),
        ("", &format!("{PORT}\nstartupProbe: {{grpc: {{port: 8080}}}}"), "grpc probe"),
        ("", &format!("{PORT}\nlifecycle: {{preStop: {{httpGet: {{port: web}}}}}}"), "preStop hook"),
        ("", &get("port: web, path: '/a?b=c'"), "asks for `/a?b=c`"),
        ("", &get("port: web, path: /a/../b"), "asks for `/a/../b`"),
        ("", &get("port: web, path: /%61"), "asks for `/%61`"),
        ("", &get("port: web, host: example.com"), "asks a host by name"),
        ("", &format!("{PORT}\nreadinessProbe: &p {{httpGet: {{port: web}}}}"), "anchor"),
        ("", &format!("{PORT}\nname: twice"), "the key `name` is there twice"),
    ] {
        let refused = refusal(&app(spec, container), &Wishes::default());
        assert!(refused.contains(want), "{want}: {refused}");
    }
}

#[test]
fn what_was_chosen_before_stays_and_what_goes_is_said() {
    let chosen = Wishes {
        sidecar: Sidecar { config_map: Some("cm".into()), secret: Some("s".into()), ..Sidecar::default() },
        ..Wishes::default()
    };
    let first = inject(&app("", PORT), &chosen).unwrap().yaml;
    let store = "emptyDir:\n          sizeLimit: \"128Mi\"";
    assert!(first.contains(store), "{first}");
    let claim = "persistentVolumeClaim:\n          claimName: accounts";
    let by_hand = first.replace(store, claim).replace("256Mi", "1Gi");
    let again = inject(&by_hand, &Wishes::default()).unwrap();
    assert!(
        again.yaml.contains(claim) && again.yaml.contains("\"cm\"") && again.yaml.contains("\"s\""),
        "{}",
        again.yaml
    );
    assert!(
        again.yaml.contains("256Mi") && again.notes.contains("different in: resources"),
        "{}",
        again.notes
    );
    let newer =
        Wishes { sidecar: Sidecar { image: "x/y:2".into(), ..Sidecar::default() }, ..Wishes::default() };
    let notes = inject(&again.yaml, &newer).unwrap().notes;
    assert!(notes.contains("Anteroom's image is x/y:2; it was "), "{notes}");
    let quiet = inject(&again.yaml, &Wishes::default()).unwrap();
    assert!(quiet.yaml == again.yaml && !quiet.notes.contains("different in"), "{}", quiet.notes);
    let named =
        Wishes { sidecar: Sidecar { secret: Some("t".into()), ..Sidecar::default() }, ..Wishes::default() };
    let other = inject(&again.yaml, &named).unwrap().yaml;
    assert!(other.contains("\"cm\"") && other.contains("\"t\"") && !other.contains("\"s\""), "{other}");

    // What somebody has added to the volume: a key, another Secret before and behind, a mode.
    let key = "- key: session-keys\n                path: secrets/session-keys\n";
    let gateway = "              - key: gateway-key\n                path: secrets/gateway-key\n";
    let tls =
        "          - secret:\n              name: tls\n              items: [{key: tls.key, path: k}]\n";
    let more = other
        .replace(key, &format!("{key}{gateway}"))
        .replace("          - secret:\n", &format!("{tls}          - secret:\n"))
        .replace("defaultMode: 288", "defaultMode: 256");
    for added in [gateway, tls, "256"] {
        assert!(more.contains(added), "{more}");
    }
    // Written once in this command's own form.
    let more = inject(&more, &Wishes::default()).unwrap().yaml;
    for kept in ["secrets/gateway-key", "tls.key", "defaultMode: 256", "\"t\""] {
        assert!(more.contains(kept), "{kept}: {more}");
    }
    assert_eq!(inject(&more, &Wishes::default()).unwrap().yaml, more);
    let again =
        Wishes { sidecar: Sidecar { secret: Some("u".into()), ..Sidecar::default() }, ..Wishes::default() };
    assert_eq!(inject(&more, &again).unwrap().yaml, more.replace("\"t\"", "\"u\""));
    let none = more.replace("key: client-secret", "key: another");
    assert!(refusal(&none, &again).contains("no secret with the key client-secret"));
}

#[test]
fn a_policy_that_was_written_for_the_app_is_named() {
    let probed = format!("{PORT}\nlivenessProbe: {{httpGet: {{port: web}}}}");
    let policy = |spec: &str| {
        format!(
            "{}---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: np}}\nspec: {{{spec}}}\n",
            app("", &probed)
        )
    };
    for (spec, said) in [
        (
            "podSelector: {matchLabels: {app: wiki}}, ingress: [{ports: [{port: 8080}]}]",
            Some("port 4180 and 4183"),
        ),
        ("podSelector: {}, ingress: [{ports: [{port: 4180}]}]", Some("port 4183")),
        ("podSelector: {}, ingress: [{ports: [{port: anteroom-http}, {port: probes}]}]", None),
        ("podSelector: {}, ingress: [{from: []}]", None),
        ("podSelector: {matchLabels: {app: other}}, ingress: [{ports: [{port: 8080}]}]", None),
        ("podSelector: {}, policyTypes: [Egress]", None),
        ("podSelector: {}, ingress: [{ports: []}]", None),
        ("podSelector: {}, ingress: [{ports: [{protocol: TCP}]}]", None),
        ("podSelector: {}, ingress: [{ports: [{port: 4000, endPort: 5000}]}]", None),
        ("podSelector: {}, ingress: [{ports: [{port: 4180, protocol: UDP}]}]", Some("port 4180 and 4183")),
        ("podSelector: {}, policyTypes: [Ingress]", Some("port 4180 and 4183")),
        ("podSelector: {}, ingress: []", Some("port 4180 and 4183")),
    ] {
        let notes = inject(&policy(spec), &Wishes::default()).unwrap().notes;
        assert_eq!(notes.contains("NetworkPolicy np"), said.is_some(), "{spec}: {notes}");
        assert!(notes.contains(said.unwrap_or_default()), "{spec}: {notes}");
    }
    // One denies everything, another admits: together they admit.
    let deny = policy("podSelector: {}, policyTypes: [Ingress]");
    let and = |spec: &str| {
        let other = policy(spec);
        let other = other.split_once("---").unwrap().1.replace("np", "other");
        inject(&format!("{deny}---{other}"), &Wishes::default()).unwrap().notes
    };
    assert!(
        !and("podSelector: {}, ingress: [{ports: [{port: 4180}, {port: 4183}]}]").contains("NetworkPolic")
    );
    let closed = and("podSelector: {}, ingress: [{ports: [{port: 4183}]}]");
    assert!(closed.contains("None of the NetworkPolicies np, other admits port 4180 of"), "{closed}");
}

#[test]
fn what_the_app_does_before_it_stops_stays() {
    let own = format!("{PORT}\nlifecycle: {{preStop: {{exec: {{command: [sync]}}}}}}");
    let done = inject(&app("", &own), &Wishes { app_pause: 6, ..Wishes::default() }).unwrap();
    assert!(done.yaml.contains("sync") && !done.yaml.contains("sleep"), "{}", done.yaml);
}

#[test]
fn the_label_is_the_workloads_name_where_that_fits() {
    for (length, want) in [(63, "w".repeat(63)), (64, "anteroom".to_owned())] {
        let text =
            app("", PORT).replace("  name: wiki\nspec", &format!("  name: {}\nspec", "w".repeat(length)));
        let yaml = inject(&text, &Wishes::default()).unwrap().yaml;
        assert!(yaml.contains(&format!("anteroom.dev/sidecar: \"{want}\"")), "{yaml}");
    }
}

/// A name of a port is looked up among those of the container that is asked.
#[test]
fn a_neighbours_probe_stays_though_its_port_has_the_name_of_the_apps() {
    let probe =
        "livenessProbe: {httpGet: {path: /metrics, port: web}}, startupProbe: {tcpSocket: {port: web}}";
    let text = app("", PORT)
        + &format!("      - {{name: exporter, ports: [{{name: web, containerPort: 9100}}], {probe}}}\n");
    let wishes = Wishes { container: Some("wiki".into()), ..Wishes::default() };
    let done = inject(&text, &wishes).unwrap();
    assert!(!done.yaml.contains("4183") && !done.notes.contains("[proxy.probes]"), "{}", done.notes);
}

#[test]
fn other_ways_past_it_are_told() {
    let wishes = Wishes { container: Some("wiki".into()), ..Wishes::default() };
    let neighbour = "      - {name: nginx, ports: [{containerPort: 80, hostPort: 80}]}\n";
    let notes = inject(&(app("", PORT) + neighbour), &wishes).unwrap().notes;
    assert!(notes.contains("The container nginx opens port 80 on the node"), "{notes}");
    let notes = inject(&app("shareProcessNamespace: true", PORT), &wishes).unwrap().notes;
    assert!(notes.contains("shareProcessNamespace"), "{notes}");
}

#[test]
fn what_is_in_another_namespace_is_somebody_elses() {
    let within = |text: &str, name: &str| {
        text.replace("  name: wiki\nspec", &format!("  name: wiki\n  namespace: {name}\nspec"))
    };
    let of = |namespace: &str| {
        format!(
            "{}---\napiVersion: v1\nkind: Service\nmetadata: {{name: s, namespace: {namespace}}}\nspec: {{selector: {{app: wiki}}, \
             ports: [{{port: 8080}}]}}\n",
            within(&app("", PORT), "a")
        )
    };
    let asked = Wishes { service: Some("s".into()), ..Wishes::default() };
    assert!(inject(&of("a"), &asked).unwrap().notes.contains("its requests go to Anteroom"));
    assert!(refusal(&of("b"), &asked).contains("does not lead to"));
    assert!(inject(&of("b"), &Wishes::default()).unwrap().notes.contains("which is not in the input"));
}

#[test]
fn an_app_that_goes_on_has_the_time_for_it() {
    for (native, app_pause, grace) in
        [(false, 6, None), (false, 60, Some(80)), (true, 0, None), (true, 60, Some(90))]
    {
        let sidecar = Sidecar { native, ..Sidecar::default() };
        let done = inject(&app("", PORT), &Wishes { sidecar, app_pause, ..Wishes::default() }).unwrap().yaml;
        let written =
            done.lines().find_map(|line| line.trim().strip_prefix("terminationGracePeriodSeconds: "));
        assert_eq!(written.map(|seconds| seconds.parse().unwrap()), grace, "{done}");
    }
}

#[test]
fn probes_of_other_ports_and_without_http_stay() {
    let container = format!(
        "{PORT}\nlivenessProbe: {{exec: {{command: [a]}}}}\nreadinessProbe: {{tcpSocket: {{port: 9090}}}}\nstartupProbe: \
         {{httpGet: {{port: 9090, path: /x?y}}}}"
    );
    let done = inject(&app("", &container), &Wishes::default()).unwrap();
    assert!(!done.yaml.contains("4183"), "{}", done.yaml);
    let with_headers = format!(
        "{PORT}\nlivenessProbe:\n  httpGet: {{port: 8080, scheme: HTTPS, httpHeaders: [{{name: Host, value: x}}]}}"
    );
    let done = inject(&app("", &with_headers), &Wishes::default()).unwrap();
    assert!(done.yaml.contains("scheme: HTTP\n"), "{}", done.yaml);
    assert!(done.notes.contains("upstream = \"https://127.0.0.1:8080\""), "{}", done.notes);
    assert!(done.notes.contains("httpHeaders") && done.notes.contains("paths = [\"/\"]"), "{}", done.notes);
}

#[test]
fn which_one_has_to_be_clear() {
    let one = app("", PORT);
    let two = format!("{one}---\n{}", one.replace("name: wiki\nspec", "name: blog\nspec"));
    let wishes = |workload: &str| Wishes { workload: Some(workload.into()), ..Wishes::default() };
    assert!(refusal(&two, &Wishes::default()).contains("deployment/wiki, deployment/blog. Say which"));
    assert!(refusal(&two, &wishes("shop")).contains("There are: deployment/wiki, deployment/blog"));
    for name in ["blog", "deployment/blog", "Deployment/blog"] {
        let done = inject(&two, &wishes(name)).unwrap();
        assert!(done.notes.contains("Deployment blog:"), "{}", done.notes);
        assert_eq!(done.yaml.matches("anteroom.dev/injected").count(), 1);
    }
    assert!(refusal(&format!("{one}---\n{one}"), &wishes("wiki")).contains("2 workloads"));
    let job = "apiVersion: batch/v1\nkind: Job\n";
    assert!(refusal(job, &Wishes::default()).contains("but Job (batch/v1)"));
    assert!(refusal("", &Wishes::default()).contains("but nothing"));
    assert!(refusal("just text", &Wishes::default()).contains("but nothing"));
    let sidecars =
        app("", &format!("{PORT}\n")) + "      - name: metrics\n        ports: [{containerPort: 9090}]\n";
    assert!(refusal(&sidecars, &Wishes::default()).contains("wiki, metrics. Say which one"));
    for (container, app_port, want) in [(Some("metrics"), None, 9090), (None, Some(8080), 8080)] {
        let wishes = Wishes { container: container.map(str::to_owned), app_port, ..Wishes::default() };
        assert!(inject(&sidecars, &wishes).unwrap().notes.contains(&format!("127.0.0.1:{want} ")));
    }
}

#[test]
fn services() {
    let service = |spec: &str| {
        format!(
            "{}---\napiVersion: v1\nkind: Service\nmetadata: {{name: s}}\nspec: {{{spec}}}\n",
            app("", PORT)
        )
    };
    let asked = Wishes { service: Some("s".into()), ..Wishes::default() };
    for spec in [
        "selector: {app: wiki}, ports: [{port: 80, targetPort: web}]",
        "selector: {app: wiki}, ports: [{port: 80, targetPort: 8080}]",
        "selector: {app: wiki}, ports: [{port: 8080}, {port: 9090}]",
    ] {
        let text = service(spec);
        let left = inject(&text, &Wishes::default()).unwrap();
        assert!(left.notes.contains("Service s still sends requests to the app itself"), "{}", left.notes);
        assert!(left.yaml.ends_with(&format!("spec: {{{spec}}}\n")), "not asked: as it was");
        let done = inject(&text, &asked).unwrap();
        assert_eq!(done.yaml.matches("targetPort: 4180").count(), 1, "{}", done.yaml);
    }
    for (spec, want) in [
        ("selector: {app: other}, ports: [{port: 8080}]", "does not lead to port 8080"),
        ("selector: {app: wiki, tier: x}, ports: [{port: 8080}]", "does not lead to"),
        ("selector: {}, ports: [{port: 8080}]", "does not lead to"),
        ("selector: {app: wiki}, ports: [{port: 80}]", "does not lead to"),
        ("selector: {app: wiki}, ports: [{port: 80, targetPort: '8080'}]", "does not lead to"),
        ("clusterIP: None, selector: {app: wiki}, ports: [{port: 8080}]", "headless"),
    ] {
        let refused = refusal(&service(spec), &asked);
        assert!(refused.contains(want), "{spec}: {refused}");
    }
    assert!(refusal(&app("", PORT), &asked).contains("there is no Service `s`"));
    let absent = "which is not in the input";
    for (spec, want) in [
        // The app may be behind any of its pod's ports.
        ("selector: {app: wiki}, ports: [{port: 80}]", "Service s leads to port 80 of these pods too"),
        (
            "selector: {app: wiki}, ports: [{port: 1, targetPort: 4180}, {port: 2, targetPort: x}, {port: 3}]",
            "to ports x, 3 of",
        ),
        // Kubernetes puts the Service's own port in their place.
        ("selector: {app: wiki}, ports: [{port: 8080, targetPort: 0}]", "still sends requests to the app"),
        ("selector: {app: wiki}, ports: [{port: 8080, targetPort: ''}]", "still sends requests to the app"),
        (
            "clusterIP: None, selector: {app: wiki}, ports: [{port: 80, targetPort: 4180}]",
            "Service s is headless",
        ),
        ("clusterIP: None, selector: {app: wiki}", "Service s is headless"),
    ] {
        let notes = inject(&service(spec), &Wishes::default()).unwrap().notes;
        assert!(notes.contains(want) && !notes.contains(absent), "{spec}: {notes}");
        assert_eq!(
            notes.contains("to Anteroom already"),
            spec.contains("4180") && !spec.contains("None"),
            "{notes}"
        );
    }
    for port in ["0x1f90", "8_080", "017620", "0o17620", "8080.0", "+8080", "2:14:40"] {
        let odd = service(&format!("selector: {{app: wiki}}, ports: [{{port: 80, targetPort: {port}}}]"));
        assert!(refusal(&odd, &Wishes::default()).contains("is no plain number"), "{port}");
    }
    let other = service("selector: {app: other}, ports: [{port: 8080}]");
    assert!(inject(&other, &Wishes::default()).unwrap().notes.contains(absent));
}

#[test]
fn secrets_are_for_the_pods_group_where_it_can_have_one() {
    for (spec, mode, group, note) in [
        ("", 288, 65532, "The pod has the group 65532"),
        ("volumes: [{name: a, emptyDir: {}}, {name: b, configMap: {name: b}}]", 288, 65532, "has the group"),
        ("securityContext: {fsGroup: 1000}\nvolumes: [{name: a, secret: {secretName: a}}]", 288, 1000, ""),
        ("volumes: [{name: a, secret: {secretName: a}}]", 292, 0, "who may read the volume `a`"),
        (
            "volumes: [{name: a, persistentVolumeClaim: {claimName: a}}]",
            292,
            0,
            "set the pod's securityContext.fsGroup",
        ),
        ("volumes: [{name: a, projected: {sources: []}}]", 292, 0, "config.secret-file-open"),
    ] {
        let mut text = app(spec, PORT);
        for _ in 0..2 {
            let done = inject(&text, &Wishes::default()).unwrap();
            assert!(done.yaml.contains(&format!("defaultMode: {mode}\n")), "{spec}: {}", done.yaml);
            assert_eq!(
                done.yaml.contains(&format!("fsGroup: {group}\n")),
                group > 0,
                "{spec}: {}",
                done.yaml
            );
            assert!(text.contains("injected") || done.notes.contains(note), "{spec}: {}", done.notes);
            text = done.yaml;
        }
    }
    let claims = app("", PORT)
        .replace("kind: Deployment", "kind: StatefulSet")
        .replace("  template:", "  volumeClaimTemplates: [{metadata: {name: data}}]\n  template:");
    let done = inject(&claims, &Wishes::default()).unwrap();
    assert!(!done.yaml.contains("fsGroup") && done.notes.contains("volumeClaimTemplates"), "{}", done.notes);
}

#[test]
fn nothing_from_a_manifest_steers_the_terminal() {
    let text = app("", PORT).replace("name: wiki\nspec", "name: \"w\\e[2Jx\\n\"\nspec");
    let done = inject(&text, &Wishes::default()).unwrap();
    assert!(!done.notes.contains('\u{1b}'), "{:?}", done.notes);
    let wishes = Wishes { workload: Some("x".into()), ..Wishes::default() };
    assert!(!refusal(&text, &wishes).contains(|c: char| c.is_control()));
}
