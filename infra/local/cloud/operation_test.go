package cloud

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestOperationOf(t *testing.T) {
	cases := []struct{ service, method, path, target, want string }{
		{"states", "POST", "/", "AWSStepFunctions.StartExecution", "StartExecution"},
		{"monitoring", "POST", "/service/GraniteServiceVersion20100801/operation/PutMetricData", "",
			"PutMetricData"},
		{"lambda", "GET", "/2015-03-31/functions/shop-orders/aliases/a", "", "GetAlias"},
		{"lambda", "POST", "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Ashop/invocations", "", "Invoke"},
		{"lambda", "GET", "/2019-09-25/functions/shop/event-invoke-config", "",
			"GET /2019-09-25/functions/shop/event-invoke-config"},
		{"scheduler", "DELETE", "/schedules/lockstep-v56", "", "DeleteSchedule"},
	}
	for _, tc := range cases {
		r := httptest.NewRequest(tc.method, tc.path, nil)
		if tc.target != "" {
			r.Header.Set("X-Amz-Target", tc.target)
		}

		if got := operationOf(tc.service, http.NotFoundHandler(), r); got != tc.want {
			t.Errorf("%s %s %s is %q, want %q", tc.service, tc.method, tc.path, got, tc.want)
		}
	}
}
