package infra

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"lockstep/edge"
	sm "lockstep/statemachine"
)

// TestRouter_ShipsWhatEdgeBuilds: what the tests of edge run is what a distribution gets, to the
// byte.
func TestRouter_ShipsWhatEdgeBuilds(t *testing.T) {
	for name, options := range map[string]edge.Options{"smallest": {},
		"everything": {SinglePage: true}} {
		want, err := edge.CloudFront(options)
		if err != nil {
			t.Fatal(err)
		}

		if _, function := one(
			t, apps[name](t), "AWS::CloudFront::Function"); function.Properties["FunctionCode"] != want {
			t.Errorf("%s ships another function than edge builds", name)
		}
	}

	for name, region := range map[string]string{"edge": "eu-west-1", "virginia": edgeRegion} {
		want, err := edge.LambdaEdge(edge.Options{CookieDomain: "example.com",
			CookieName: "lockstep-shop"}, region,
			"arn:aws:s3:"+region+":123456789012:accesspoint/lockstep-shop")
		if err != nil {
			t.Fatal(err)
		}

		shipped := 0

		files, err := filepath.Glob(filepath.Join(apps[name](t).dir, "asset.*", "index.mjs"))
		if err != nil {
			t.Fatal(err)
		}

		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}

			if string(data) == want {
				shipped++
			}
		}

		if shipped != 1 || len(files) != 1 {
			t.Errorf("%s ships %d modules, %d as edge builds it, expected that one", name, len(files),
				shipped)
		}
	}
}

// edgeStack is the stack of the function: the application's own in us-east-1.
func edgeStack(t *testing.T, name string) template {
	t.Helper()

	if name == "virginia" {
		return apps[name](t).templates[main]
	}

	stack, found := apps[name](t).templates["lockstep-shop-edge-eu-west-1.template.json"]
	if !found {
		t.Fatalf("found the stacks %v, expected one in us-east-1",
			slices.Collect(maps.Keys(apps[name](t).templates)))
	}

	return stack
}

// find is the one resource of a type whose logical id begins so.
func find(t *testing.T, stack template, kind, prefix string) resource {
	t.Helper()

	var list []resource

	for id, r := range stack.Resources {
		if r.Type == kind && strings.HasPrefix(id, prefix) {
			list = append(list, r)
		}
	}

	if len(list) != 1 {
		t.Fatalf("found %d of %s %s..., expected one", len(list), kind, prefix)
	}

	return list[0]
}

// as reads a part of a template.
func as[T any](t *testing.T, value any) (result T) {
	t.Helper()

	data, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(data, &result)
	}

	if err != nil {
		t.Fatal(err)
	}

	return result
}

func TestLambdaEdge_Distribution(t *testing.T) {
	for _, name := range []string{"edge", "virginia"} {
		a := apps[name](t)
		_, distribution := one(t, a, "AWS::CloudFront::Distribution")
		d := as[struct {
			DefaultCacheBehavior struct {
				TargetOriginID             string `json:"TargetOriginId"`
				LambdaFunctionAssociations []struct{ EventType string }
				FunctionAssociations       []any
				OriginRequestPolicyID      any `json:"OriginRequestPolicyId"`
			}
			Origins []struct {
				ID                  string `json:"Id"`
				OriginCustomHeaders []struct{ HeaderName, HeaderValue string }
				S3OriginConfig      struct{ OriginAccessIdentity string }
			}
			OriginGroups struct {
				Items []struct {
					FailoverCriteria struct{ StatusCodes struct{ Items []int } }
					Members          struct {
						Items []struct {
							OriginID string `json:"OriginId"`
						}
					}
				}
			}
		}](t, resolveAll(distribution.Properties["DistributionConfig"]))

		var events []string
		for _, association := range d.DefaultCacheBehavior.LambdaFunctionAssociations {
			events = append(events, association.EventType)
		}

		if !slices.Equal(events, []string{"viewer-request", "origin-request", "viewer-response"}) ||
			d.DefaultCacheBehavior.FunctionAssociations != nil {
			t.Errorf("%s: Lambda@Edge runs at %v, functions at %v", name, events,
				d.DefaultCacheBehavior.FunctionAssociations)
		}

		if group := d.OriginGroups.Items; len(group) != 1 ||
			!slices.Equal(group[0].FailoverCriteria.StatusCodes.Items, []int{403}) ||
			group[0].Members.Items[0].OriginID != "site-a" ||
			group[0].Members.Items[1].OriginID != "site-b" ||
			d.DefaultCacheBehavior.OriginRequestPolicyID == nil {
			t.Errorf("%s: the site is served from %+v", name, d.OriginGroups)
		}

		identities := map[string]bool{}

		for _, origin := range d.Origins {
			if !strings.HasPrefix(origin.ID, "site-") {
				continue
			}

			identities[origin.S3OriginConfig.OriginAccessIdentity] = true

			var headers []string
			for _, header := range origin.OriginCustomHeaders {
				headers = append(headers, header.HeaderName+" "+header.HeaderValue)
			}

			if slices.Sort(headers); !slices.Equal(headers,
				[]string{"x-lockstep-site-a LockstepSiteA.RegionalDomainName",
					"x-lockstep-site-b LockstepSiteB.RegionalDomainName"}) {
				t.Errorf("%s: %s tells the function %v", name, origin.ID, headers)
			}
		}

		if len(identities) != 1 || identities[""] {
			t.Errorf("%s: the buckets are read by %v, expected one identity", name, identities)
		}

		for _, policy := range []string{"AWS::CloudFront::OriginRequestPolicy x-lockstep-origins",
			"AWS::CloudFront::CachePolicy x-lockstep-env"} {
			kind, header, _ := strings.Cut(policy, " ")

			_, r := one(t, a, kind)
			if data, _ := json.Marshal(r.Properties); !strings.Contains(string(data), `"Headers":["`+header+
				`"]`) {
				t.Errorf("%s: %s is %s, expected the header %s", name, kind, data, header)
			}
		}

		if s := settingsOf(t, a); s.KeyValue != "" || s.EdgeConvergence.Std() != 15*time.Second {
			t.Errorf("%s: the steps are told of the store %q and a convergence of %s", name, s.KeyValue,
				s.EdgeConvergence)
		}

		for id, r := range a.templates[main].Resources {
			if r.Type == "AWS::CloudFront::KeyValueStore" || r.Type == "AWS::CloudFront::Function" {
				t.Errorf("%s: found %s %s", name, r.Type, id)
			}
		}
	}
}

// What AWS asks of a function of Lambda@Edge: no environment, a version, x86, a role that both
// services take on.
func TestLambdaEdge_Function(t *testing.T) {
	for name, region := range map[string]string{"edge": "eu-west-1", "virginia": edgeRegion} {
		id := map[string]string{"edge": "Edge", "virginia": "LockstepEdge"}[name]
		stack := edgeStack(t, name)

		function := find(t, stack, "AWS::Lambda::Function", id).Properties
		for _, refused := range []string{"Environment", "Layers", "VpcConfig", "Architectures",
			"FunctionName"} {
			if function[refused] != nil {
				t.Errorf("%s: the function has %s: %v", name, refused, function[refused])
			}
		}

		if function["Handler"] != "index.serve" || function["Timeout"] != 5.0 ||
			function["MemorySize"] != 128.0 {
			t.Errorf("%s: the function is %v", name, function)
		}

		find(t, stack, "AWS::Lambda::Version", id)

		for id, r := range unread(t, apps[name](t),
			map[string]string{"edge": "lockstep-shop-edge-eu-west-1.template.json",
				"virginia": main}[name]) {
			if ofEdge := strings.HasPrefix(id, "Edge") || strings.HasPrefix(id, "LockstepEdgeFn"); ofEdge &&
				strings.HasPrefix(r.Type, "AWS::Lambda::") && r.DeletionPolicy != "Retain" {
				t.Errorf("%s: destroying the stack would hang at %s, whose replicas stay for hours", name, id)
			}
		}

		role := find(t, stack, "AWS::IAM::Role", map[string]string{"edge": "EdgeRole",
			"virginia": "LockstepEdgeRole"}[name])
		if role.Properties["RoleName"] != "lockstep-shop-edge-"+region ||
			role.Properties["ManagedPolicyArns"] != nil {
			t.Errorf("%s: the role is %v", name, role.Properties)
		}

		trusted, _ := json.Marshal(role.Properties["AssumeRolePolicyDocument"])
		for _, service := range []string{"lambda.amazonaws.com", "edgelambda.amazonaws.com"} {
			if !strings.Contains(string(trusted), `"`+service+`"`) {
				t.Errorf("%s: %s cannot take the role: %s", name, service, trusted)
			}
		}

		want := []statement{
			{[]string{"s3:GetObject"}, []string{"arn:aws:s3:" + region +
				":123456789012:accesspoint/lockstep-shop/object/route.json"}},
			{[]string{"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"},
				[]string{"arn:aws:logs:*:123456789012:log-group:/aws/lambda/us-east-1.*"}},
		}
		if got := statements(role); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the role may %v, expected %v", name, got, want)
		}

		access := find(t, apps[name](t).templates[main], "AWS::S3::AccessPoint",
			"LockstepRouteAccess").Properties
		if access["Name"] != "lockstep-shop" || resolve(access["Bucket"]) != "LockstepState" {
			t.Errorf("%s: the access point is %v", name, access)
		}

		policy := as[struct {
			Statement []struct {
				Effect, Action, Resource any
				Principal                map[string]string
			}
		}](t, resolveAll(find(t, apps[name](t).templates[main], "AWS::S3::BucketPolicy",
			"LockstepState").Properties["PolicyDocument"]))

		granted := false
		for _, s := range policy.Statement {
			granted = granted || s.Effect == "Allow" && s.Action == "s3:GetObject" &&
				s.Resource == "LockstepState.Arn/route.json" &&
				s.Principal["AWS"] == "arn:aws:iam::123456789012:role/lockstep-shop-edge-"+region
		}

		if !granted {
			t.Errorf("%s: the state bucket lets the function read nothing: %+v", name, policy.Statement)
		}
	}
}

// unread are the resources of a template as CloudFormation reads them, with what the other tests
// leave out.
func unread(t *testing.T, a app, file string) map[string]struct{ Type, DeletionPolicy string } {
	t.Helper()

	data, err := os.ReadFile(filepath.Join(a.dir, file))
	if err != nil {
		t.Fatal(err)
	}

	var template struct {
		Resources map[string]struct{ Type, DeletionPolicy string }
	}
	if err := json.Unmarshal(data, &template); err != nil {
		t.Fatal(err)
	}

	return template.Resources
}

// The steps may do what they may beside a CloudFront Function, but for where the route is written.
func TestLambdaEdge_Permissions(t *testing.T) {
	for _, task := range sm.Functions() {
		role := "Lockstep" + string(task) + "Role"
		want := map[string]bool{}

		for _, grant := range grantsOf(t, apps["smallest"](t), role) {
			if strings.HasSuffix(grant, " route") {
				want["s3:GetObject state/route.json"] = true
				if strings.HasSuffix(grant, ":PutKey route") {
					want["s3:PutObject state/route.json"] = true
				}

				continue
			}

			want[grant] = true
		}

		got := map[string]bool{}

		for _, grant := range grantsOf(t, apps["edge"](t), role) {
			if !strings.HasPrefix(grant, "lambda:") { // the smallest application has no functions
				got[grant] = true
			}
		}

		if !maps.Equal(got, want) {
			t.Errorf("%s may %v, expected %v", task, slices.Sorted(maps.Keys(got)),
				slices.Sorted(maps.Keys(want)))
		}
	}
}

func TestLambdaEdge_RefusesWhereItCannotBe(t *testing.T) {
	for want, at := range map[string][2]string{
		"in a stack for any account and Region": {"${Token[AWS.AccountId.0]}", "eu-west-1"},
		"expected a stack whose Env has both":   {"", ""},
		"in ca-west-1, where origin access":     {"123456789012", "ca-west-1"},
		"in eu-east-9, where origin access":     {"123456789012", "eu-east-9"}, // one of tomorrow
	} {
		if err := LambdaEdgeIn(at[0], at[1]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, expected %q", at, err, want)
		}
	}

	if err := LambdaEdgeIn("123456789012", "eu-west-1"); err != nil {
		t.Error(err)
	}
}
