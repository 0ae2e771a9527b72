"""Our Pulumi plugin `sonarstack`, hosted from this folder by Pulumi.yaml: thin tables over the parts of infra."""
