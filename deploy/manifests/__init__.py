"""The Kubernetes manifests: rendered by kustomize, and held against the schemas in k8s/schemas.

python -m deploy.manifests production        prints what would be applied; 1 when anything in it is wrong
"""
